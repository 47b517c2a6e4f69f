import { createHash } from 'node:crypto';
import type { NewFact } from '#event-store/event-store';
import { Drawers } from '#kernel/drawers';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { type Address, type Contact, type Match, readContactFact } from '../facts/contact-facts.js';

/** What deciders know of a contact: what it says is in the views. */
export interface KnownContact {
  /** The revision of the fact that says it. */
  readonly at: number;
  readonly bytes: number;
  readonly uid: string | undefined;
  readonly print: string;
  /** The fact that says of whom its addresses are, and the print of that. */
  readonly matched: { readonly at: number; readonly print: string } | undefined;
}

/** An address book as deciders know it. */
export interface KnownBook {
  readonly contacts: Drawers<string, KnownContact>;
  /** The ids of the contacts with a `uid`, and by the print of all that they say. */
  readonly ids: Drawers<string, string>;
  /** By `keyOfAddress`. */
  readonly shared: Drawers<string, true>;
  readonly bytes: number;
}

export const NO_BOOK: KnownBook = Object.freeze({
  contacts: Drawers.empty<string, KnownContact>(),
  ids: Drawers.empty<string, string>(),
  shared: Drawers.empty<string, true>(),
  bytes: 0,
});

/** What tells an address from all others. */
export const keyOfAddress = ({ medium, address }: Address): string => `${medium} ${address}`;

/** What tells a contact from all others in `KnownBook.ids`: its uid, or all that it says where it has none. */
export function nameOfContact({ uid, print }: Pick<KnownContact, 'uid' | 'print'>): string {
  return uid === undefined ? `print ${print}` : `uid ${uid}`;
}

/** The same for the same content, in whatever order it was written. */
export function printOf(content: Contact | readonly Match[]): string {
  const text = canonicalJson(content as JsonObject, { lenient: true });
  return createHash('sha256').update(text).digest('base64url');
}

/** How many bytes a contact counts. */
export const bytesOf = (contact: Contact): number => Buffer.byteLength(JSON.stringify(contact));

/** The book as of a fact of its stream. */
export function foldContactFact(book: KnownBook, fact: Pick<NewFact, 'type' | 'data'>, revision: number): KnownBook {
  const { type, data } = readContactFact(fact);
  switch (type) {
    case 'contacts-ended':
      return NO_BOOK;
    case 'address-shared': {
      const key = keyOfAddress(data.of);
      return { ...book, shared: data.shared ? book.shared.with(key, true) : book.shared.without(key) };
    }
    case 'contact-removed':
      return without(book, data.contact_id);
    case 'contact-matched': {
      const before = book.contacts.get(data.contact_id);
      if (before === undefined) return book;
      const matched = { at: revision, print: printOf(data.matches) };
      return { ...book, contacts: book.contacts.with(data.contact_id, { ...before, matched }) };
    }
    case 'contact-put': {
      const { contact_id: id, contact } = data;
      const matched = book.contacts.get(id)?.matched;
      const known = { at: revision, bytes: bytesOf(contact), uid: contact.uid, print: printOf(contact), matched };
      const { contacts, ids, bytes, ...others } = without(book, id);
      return {
        ...others,
        contacts: contacts.with(id, known),
        ids: ids.with(nameOfContact(known), id),
        bytes: bytes + known.bytes,
      };
    }
    default:
      return book;
  }
}

function without(book: KnownBook, id: string): KnownBook {
  const before = book.contacts.get(id);
  if (before === undefined) return book;
  const name = nameOfContact(before);
  return {
    ...book,
    contacts: book.contacts.without(id),
    ids: book.ids.get(name) === id ? book.ids.without(name) : book.ids,
    bytes: book.bytes - before.bytes,
  };
}
