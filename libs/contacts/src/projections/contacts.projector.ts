import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { asJson, asMark, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { CONTACT_SHAPES, type Contact, type Match, readContactFact, userIdOfContacts } from '../facts/contact-facts.js';

/** A contact as it was written, and of whom its addresses are. */
export interface ContactRow {
  readonly contact: Contact;
  /** When it was written, in milliseconds since the epoch. */
  readonly put_ts: number;
  readonly matches?: readonly Match[];
}

export const CONTACTS = new Collection<readonly [userId: UserId, contactId: string], ContactRow>('contacts', {
  key: ['user', 'contact id'],
  says: 'what the user wrote down of somebody, when, and whom an identity server knows by that',
  codec: asJson(),
});

export const CONTACT_USERS = new Collection<readonly [userId: UserId, contact: UserId, contactId: string], true>(
  'contact-users',
  { key: ['user', 'user in the address book', 'contact id'], says: 'that the contact is that user', codec: asMark },
);

export const CONTACT_ADDRESSES = new Collection<
  readonly [userId: UserId, medium: string, address: string, contactId: string],
  true
>('contact-addresses', {
  key: ['user', 'medium', 'address', 'contact id'],
  says: 'that the contact has the address',
  codec: asMark,
});

export const SHARED_ADDRESSES = new Collection<readonly [userId: UserId, medium: string, address: string], true>(
  'shared-addresses',
  { key: ['user', 'medium', 'address'], says: 'that the address is of several people', codec: asMark },
);

/** Address books. Contacts are merged as they are read, so that what is taken away leaves nothing behind. */
export const contactsProjector: Projector = {
  name: 'contacts',
  version: 1,
  ...owning(CONTACTS, CONTACT_USERS, CONTACT_ADDRESSES, SHARED_ADDRESSES),
  handles: (type) => Object.hasOwn(CONTACT_SHAPES, type),
  project,
};

async function project(recorded: RecordedFact, rows: OwnRows): Promise<void> {
  const user = userIdOfContacts(recorded.stream);
  const { type, data } = readContactFact(recorded);
  switch (type) {
    case 'contacts-ended':
      return end(rows, user);
    case 'address-shared': {
      const key = [user, data.of.medium, data.of.address] as const;
      if (data.shared) SHARED_ADDRESSES.put(rows, key, true);
      else SHARED_ADDRESSES.delete(rows, key);
      return;
    }
    case 'contact-removed':
      return write(rows, user, data.contact_id, undefined);
    case 'contact-matched': {
      const before = await CONTACTS.get(rows, [user, data.contact_id]);
      if (before !== undefined) await write(rows, user, data.contact_id, { ...before, matches: data.matches });
      return;
    }
    case 'contact-put': {
      const before = await CONTACTS.get(rows, [user, data.contact_id]);
      const matches = before?.matches === undefined ? {} : { matches: before.matches };
      return write(rows, user, data.contact_id, { contact: data.contact, put_ts: recorded.metadata.at, ...matches });
    }
    default:
  }
}

/** Puts a row in the place of another, with all by which it is found. */
async function write(rows: OwnRows, user: UserId, id: string, after: ContactRow | undefined): Promise<void> {
  const before = await CONTACTS.get(rows, [user, id]);
  for (const contact of usersOf(before)) CONTACT_USERS.delete(rows, [user, contact, id]);
  for (const { medium, address } of before?.contact.threepids ?? [])
    CONTACT_ADDRESSES.delete(rows, [user, medium, address, id]);
  if (after === undefined) return CONTACTS.delete(rows, [user, id]);
  CONTACTS.put(rows, [user, id], after);
  for (const contact of usersOf(after)) CONTACT_USERS.put(rows, [user, contact, id], true);
  for (const { medium, address } of after.contact.threepids ?? [])
    CONTACT_ADDRESSES.put(rows, [user, medium, address, id], true);
}

/** The users that a contact names, and those whose its addresses are. */
function usersOf(row: ContactRow | undefined): ReadonlySet<UserId> {
  const { user_ids: named = [], threepids = [] } = row?.contact ?? {};
  const has = (match: Match): boolean =>
    threepids.some(({ medium, address }) => medium === match.medium && address === match.address);
  return new Set([...named, ...(row?.matches ?? []).filter(has).map((match) => match.user_id)]);
}

async function end(rows: OwnRows, user: UserId): Promise<void> {
  const ids: string[] = [];
  await CONTACTS.forEach(rows, { prefix: [user] }, ({ key }) => void ids.push(key[1]));
  for (const id of ids) await write(rows, user, id, undefined);
  const shared: (readonly [UserId, string, string])[] = [];
  await SHARED_ADDRESSES.forEach(rows, { prefix: [user] }, ({ key }) => void shared.push(key));
  for (const key of shared) SHARED_ADDRESSES.delete(rows, key);
}
