import { Inject, Injectable } from '@nestjs/common';
import type { ContactsOf } from '#accounts/contacts-of';
import { listExternalIds } from '#accounts/queries/external-ids';
import { listThreepids } from '#accounts/queries/threepids';
import { ACCOUNT_MEDIUM, accountAddress } from '#accounts/threepids/account-address';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import type { Address } from './facts/contact-facts.js';
import { CONTACT_ADDRESSES, CONTACT_USERS } from './projections/contacts.projector.js';

/** Who is in whose address book, for access lists and whoever asks whose invitations are welcome. */
@Injectable()
export class KnownContacts implements ContactsOf {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  /** By the users that a contact names or an identity server knows by it, and by the addresses of accounts, of which this server knows whose they are. */
  async has(owner: UserId, user: UserId): Promise<boolean> {
    if ((await CONTACT_USERS.scan(this.views, { prefix: [owner, user], limit: 1 })).length > 0) return true;
    for (const { medium, address } of await this.#addressesOf(user)) {
      const prefix = [owner, medium, address] as const;
      if ((await CONTACT_ADDRESSES.scan(this.views, { prefix, limit: 1 })).length > 0) return true;
    }
    return false;
  }

  async #addressesOf(user: UserId): Promise<readonly Address[]> {
    const accounts = await listExternalIds(this.views, user);
    const addresses = accounts.map((account) => ({ medium: ACCOUNT_MEDIUM, address: accountAddress(account) }));
    return [...(await listThreepids(this.views, user)), ...addresses];
  }
}
