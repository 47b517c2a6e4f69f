import { Inject, Injectable } from '@nestjs/common';
import type { ContactsOf } from '#accounts/contacts-of';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { CONTACT_USERS } from './projections/contacts.projector.js';

/** Who is in whose address book, for access lists and whoever asks whose invitations are welcome. */
@Injectable()
export class KnownContacts implements ContactsOf {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /** By the users that a contact names, and those whose its addresses are. */
  async has(owner: UserId, user: UserId): Promise<boolean> {
    return (await CONTACT_USERS.scan(this.views, { prefix: [owner, user], limit: 1 })).length > 0;
  }
}
