import type { FactShapes } from '#event-store/fact-shapes';
import type { UserId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';

/** The address book of a user. Of each contact, and of each shared address, only the last facts count; with the account all of it goes. */
export const CONTACTS_STREAM_PREFIX = 'contacts-';
export const contactsStream = (userId: UserId): string => `${CONTACTS_STREAM_PREFIX}${userId}`;

/** Whose address book a stream is. */
export const userIdOfContacts = (stream: string): UserId => stream.slice(CONTACTS_STREAM_PREFIX.length) as UserId;

/** A mail address (`email`) or a phone number (`msisdn`), in its canonical form (appendices, "3PID Types"). */
export interface Address {
  readonly medium: string;
  readonly address: string;
}

/** One of somebody's addresses, and what it is called: `home`, `work`. */
export interface ContactAddress extends Address {
  readonly label?: string;
}

/** A property of a vCard in jCard's form (RFC 7095): its name, its parameters, the type of its values, and these. */
export type VCardProperty = readonly [
  name: string,
  parameters: Readonly<Record<string, string | readonly string[]>>,
  type: string,
  ...values: readonly (string | readonly (string | readonly string[])[])[],
];

/** What somebody wrote down of a person: what it says has the first names that follow, or names that clients have agreed upon. */
export interface Contact {
  /** By which other address books know the same contact. */
  readonly uid?: string;
  readonly name?: string;
  readonly threepids?: readonly ContactAddress[];
  readonly user_ids?: readonly UserId[];
  readonly note?: string;
  /** What a vCard says besides. */
  readonly vcard?: readonly VCardProperty[];
  readonly [key: string]:
    | JsonValue
    | readonly ContactAddress[]
    | readonly VCardProperty[]
    | readonly UserId[]
    | undefined;
}

/** Whose an address is, as an identity server said. */
export interface Match extends Address {
  readonly user_id: UserId;
  readonly by: string;
}

/** In `contacts-{user_id}`: `contact-put`: it says this from here on. `overtakes`: the revision of what it said before. */
export interface ContactPut {
  readonly contact_id: string;
  readonly overtakes?: number;
  readonly contact: Contact;
}

/** `contact-removed`. `overtakes`: the revisions of what it said and of whom it was. */
export interface ContactRemoved {
  readonly contact_id: string;
  readonly overtakes: readonly number[];
}

/** `contact-matched`: which users the addresses of a contact are of, all that are known. */
export interface ContactMatched {
  readonly contact_id: string;
  readonly overtakes?: number;
  readonly matches: readonly Match[];
}

/** `address-shared`: whether an address is that of several people: then it tells nobody apart, and joins no contacts. */
export interface AddressShared {
  readonly shared: boolean;
  readonly of: Address;
}

/** `contacts-ended`: the address book is empty, and what was before goes from the log. */
export type ContactsEnded = Readonly<Record<string, never>>;

export interface ContactFacts {
  'contact-put': ContactPut;
  'contact-removed': ContactRemoved;
  'contact-matched': ContactMatched;
  'address-shared': AddressShared;
  'contacts-ended': ContactsEnded;
}

export type ContactFact = {
  [T in keyof ContactFacts]: { readonly type: T; readonly data: ContactFacts[T] };
}[keyof ContactFacts];

/** How old shapes of these facts become today's. */
export const CONTACT_SHAPES = {
  'contact-put': [],
  'contact-removed': [],
  'contact-matched': [],
  'address-shared': [],
  'contacts-ended': [],
} as const satisfies FactShapes;

/** Of a type: the key of what may be erased, and what stands there then. */
export const ERASABLE: Readonly<Record<string, { readonly key: string; readonly left: string }>> = {
  'contact-put': { key: 'contact', left: '"contact":{}}' },
  'contact-matched': { key: 'matches', left: '"matches":[]}' },
};

/** A fact of an address book as its stream has it. */
export function readContactFact({ type, data }: { readonly type: string; readonly data: string }): ContactFact {
  return { type, data: JSON.parse(data) as unknown } as ContactFact; // written by this library
}
