import { ACCOUNT_LIMITS, limitReached } from '#kernel/account-limits';
import { MatrixError } from '#kernel/matrix-error';
import type { Address, Contact, ContactFact, Match } from '../facts/contact-facts.js';
import { bytesOf, keyOfAddress, type KnownBook, nameOfContact, printOf } from './known-book.js';

/** A contact to be put: under an id, or where the same one is already, or under a new one. */
export interface NewContact {
  readonly id?: string;
  readonly contact: Contact;
}

/** What came of contacts that were put. */
export interface PutDecision {
  readonly facts: readonly ContactFact[];
  /** Under which id each is, in their order. */
  readonly ids: readonly string[];
}

/**
 * Puts contacts in a book. One without an id takes the place of the one with its `uid`; one that has no `uid` either, and is there word by word,
 * stays. Of several of one id the last counts. Throws M_USER_LIMIT_EXCEEDED where the book would have more than it may.
 */
export function decideContacts(book: KnownBook, news: readonly NewContact[], makeId: () => string): PutDecision {
  const decided = new Map<string, { readonly contact: Contact; readonly print: string }>();
  const named = new Map<string, string>();
  const ids = news.map(({ id: wanted, contact }) => {
    const print = printOf(contact);
    const name = nameOfContact({ uid: contact.uid, print });
    const id = wanted ?? named.get(name) ?? book.ids.get(name) ?? makeId();
    named.set(name, id);
    decided.set(id, { contact, print });
    return id;
  });
  let [count, bytes] = [book.contacts.size, book.bytes];
  const facts: ContactFact[] = [];
  for (const [id, { contact, print }] of decided) {
    const before = book.contacts.get(id);
    if (before?.print === print) continue;
    if (before === undefined) count++;
    bytes += bytesOf(contact) - (before?.bytes ?? 0);
    const overtakes = before === undefined ? {} : { overtakes: before.at };
    facts.push({ type: 'contact-put', data: { contact_id: id, ...overtakes, contact } });
  }
  const isMore = count > book.contacts.size || bytes > book.bytes;
  if (isMore && count > ACCOUNT_LIMITS.contacts.most) throw limitReached('contacts');
  if (isMore && bytes > ACCOUNT_LIMITS['contact-bytes'].most) throw limitReached('contact-bytes');
  return { facts, ids };
}

/** Takes a contact out of a book. Throws M_NOT_FOUND. */
export function decideRemoval(book: KnownBook, id: string): ContactFact[] {
  const before = book.contacts.get(id);
  if (before === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such contact');
  const overtakes = before.matched === undefined ? [before.at] : [before.at, before.matched.at];
  return [{ type: 'contact-removed', data: { contact_id: id, overtakes } }];
}

/** Notes of whom the addresses of some contacts are: of those that are still there, and say something else so far. */
export function decideMatches(book: KnownBook, found: ReadonlyMap<string, readonly Match[]>): ContactFact[] {
  const facts: ContactFact[] = [];
  for (const [id, matches] of found) {
    const before = book.contacts.get(id);
    if (before === undefined || (before.matched === undefined && matches.length === 0)) continue;
    if (before.matched?.print === printOf(matches)) continue;
    const overtakes = before.matched === undefined ? {} : { overtakes: before.matched.at };
    facts.push({ type: 'contact-matched', data: { contact_id: id, ...overtakes, matches } });
  }
  return facts;
}

/** Says whether an address is that of several people. Throws M_USER_LIMIT_EXCEEDED where very many are. */
export function decideShared(book: KnownBook, of: Address, shared: boolean): ContactFact[] {
  if (book.shared.has(keyOfAddress(of)) === shared) return [];
  if (shared && book.shared.size >= ACCOUNT_LIMITS['shared-addresses'].most) throw limitReached('shared-addresses');
  return [{ type: 'address-shared', data: { shared, of } }];
}
