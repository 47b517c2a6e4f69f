import type { UserId } from '#kernel/ids';
import { inTurns } from '#projections/turn';
import type { Views } from '#projections/views';
import { keyOfAddress } from '../decide/known-book.js';
import { mergeContacts, type Person, type WrittenContact } from '../decide/merge-contacts.js';
import { CONTACTS, SHARED_ADDRESSES } from '../projections/contacts.projector.js';

/** The contacts of a user's address book as they were written, in the order of their ids. */
export async function listContacts(views: Pick<Views, 'scan'>, userId: UserId): Promise<WrittenContact[]> {
  const contacts: WrittenContact[] = [];
  for await (const page of CONTACTS.pages(views, { prefix: [userId] })) {
    for (const { key, value } of page) {
      const { contact, put_ts: ts, matches = [] } = value;
      contacts.push({ id: key[1], ts, contact, matches });
    }
  }
  return contacts;
}

/** The people of a user's address book: its contacts, merged, in the order of their ids. */
export async function listPeople(views: Pick<Views, 'scan'>, userId: UserId): Promise<Person[]> {
  const shared = new Set<string>();
  for await (const page of SHARED_ADDRESSES.pages(views, { prefix: [userId] }))
    for (const { key } of page) shared.add(keyOfAddress({ medium: key[1], address: key[2] }));
  return inTurns(mergeContacts(await listContacts(views, userId), shared));
}
