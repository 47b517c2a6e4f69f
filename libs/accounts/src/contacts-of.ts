import type { UserId } from '#kernel/ids';

/** What access lists, and whoever asks whose invitations are welcome, need of who keeps address books; `libs/contacts` implements it. */
export interface ContactsOf {
  /** Whether a user is in the owner's address book. */
  has(owner: UserId, user: UserId): Promise<boolean>;
}

/** Injection token of the ContactsOf; where there is none, nobody has contacts. */
export const CONTACTS_OF = Symbol.for('annals.ContactsOf');
