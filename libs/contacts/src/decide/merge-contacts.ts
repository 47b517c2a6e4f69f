import type { UserId } from '#kernel/ids';
import { each as forEach, type Steps } from '#kernel/steps';
import type { JsonValue } from '#kernel/json';
import type { Contact, ContactAddress, Match } from '../facts/contact-facts.js';
import { keyOfAddress } from './known-book.js';

/** A contact as it stands in a book. */
export interface WrittenContact {
  readonly id: string;
  /** When it was put, in milliseconds since the epoch. */
  readonly ts: number;
  readonly contact: Contact;
  readonly matches: readonly Match[];
}

/** A person: what one or several contacts say of them. */
export interface Person {
  /** The least id of the contacts. */
  readonly contact_id: string;
  readonly contact_ids: readonly string[];
  readonly uids?: readonly string[];
  readonly threepids?: readonly ContactAddress[];
  /** What else they are called. */
  readonly other_names?: readonly string[];
  readonly notes?: readonly string[];
  /** The users that they are: those that the contacts name, then those whose their addresses are. */
  readonly user_ids?: readonly UserId[];
  readonly matches?: readonly Match[];
  readonly [key: string]: unknown;
}

/** Contacts that are of one person are under one root. */
class Groups {
  readonly #parents = new Map<string, string>();

  rootOf(id: string): string {
    let root = id;
    for (let next = this.#parents.get(root); next !== undefined; next = this.#parents.get(root)) root = next;
    // Whoever asks again has a short way.
    for (let at = id; at !== root;) {
      const next = this.#parents.get(at)!;
      this.#parents.set(at, root);
      at = next;
    }
    return root;
  }

  /** The lesser id becomes the root, so that it is the same in whatever order they are joined. */
  join(one: string, other: string): void {
    const [a, b] = [this.rootOf(one), this.rootOf(other)];
    if (a === b) return;
    if (a < b) this.#parents.set(b, a);
    else this.#parents.set(a, b);
  }
}

/**
 * The people whom contacts are of, in the order of their ids: contacts with the same uid, user id or address are of the same person, but not by
 * an address that is shared (`keyOfAddress`) by several people. The same contacts make the same people, in whatever order they come; none of them is
 * changed, so that a contact which is taken away takes with it what it joined. A step for some of them.
 */
export function* mergeContacts(contacts: readonly WrittenContact[], shared: ReadonlySet<string>): Steps<Person[]> {
  const groups = new Groups();
  const first = new Map<string, string>();
  yield* forEach(contacts, ({ id, contact }) => {
    for (const sign of signsOf(contact, shared)) {
      const known = first.get(sign);
      if (known === undefined) first.set(sign, id);
      else groups.join(known, id);
    }
  });
  const people = new Map<string, WrittenContact[]>();
  for (const contact of contacts) {
    const root = groups.rootOf(contact.id);
    const own = people.get(root);
    if (own === undefined) people.set(root, [contact]);
    else own.push(contact);
  }
  const told: Person[] = [];
  const ordered = [...people].toSorted(([a], [b]) => (a < b ? -1 : 1));
  yield* forEach(ordered, ([, own]) => void told.push(personOf(own)));
  return told;
}

/** By what a contact is known to be of the same person as another. */
function signsOf({ uid, threepids = [], user_ids: userIds = [] }: Contact, shared: ReadonlySet<string>): string[] {
  const addresses = threepids.map(keyOfAddress).filter((key) => !shared.has(key));
  return [...(uid === undefined ? [] : [`uid ${uid}`]), ...userIds, ...addresses.map((key) => `at ${key}`)];
}

/** Of what can be one thing alone the contact that was put last says it. */
function personOf(contacts: readonly WrittenContact[]): Person {
  const newest = contacts.toSorted((a, b) => b.ts - a.ts || (a.id > b.id ? -1 : 1));
  const ids = contacts.map(({ id }) => id).toSorted();
  const told: Record<string, JsonValue | undefined> = {};
  for (const { contact } of newest.toReversed()) Object.assign(told, withoutLists(contact));
  const threepids = uniqueBy(
    newest.flatMap(({ contact }) => contact.threepids ?? []),
    keyOfAddress,
  );
  const has = new Set(threepids.map(keyOfAddress));
  const matches = uniqueBy(
    newest.flatMap(({ matches: known }) => known).filter((match) => has.has(keyOfAddress(match))),
    (match) => `${keyOfAddress(match)} ${match.user_id} ${match.by}`,
  );
  const names = unique(newest.flatMap(({ contact: { name } }) => name ?? []));
  const named = newest.flatMap(({ contact }) => contact.user_ids ?? []);
  const vcard = uniqueBy(
    newest.flatMap(({ contact }) => contact.vcard ?? []),
    (property) => JSON.stringify(property),
  );
  return {
    contact_id: ids[0]!,
    contact_ids: ids,
    ...(names.length > 0 && { name: names[0] }),
    ...told,
    ...listed('other_names', names.slice(1)),
    ...listed('uids', unique(newest.flatMap(({ contact: { uid } }) => uid ?? []))),
    ...listed<ContactAddress>('threepids', threepids),
    ...listed('user_ids', unique([...named, ...matches.map((match) => match.user_id)])),
    ...listed('matches', matches),
    ...listed('notes', unique(newest.flatMap(({ contact: { note } }) => note ?? []))),
    ...listed('vcard', vcard),
  };
}

/** What a contact says under names of others, of which the last counts. */
function withoutLists({
  uid: _uid,
  name: _name,
  note: _note,
  threepids: _threepids,
  user_ids: _users,
  vcard: _vcard,
  ...others
}: Contact): Record<string, JsonValue | undefined> {
  return others as Record<string, JsonValue | undefined>; // the rest is JSON
}

function listed<T>(key: string, values: readonly T[]): Readonly<Record<string, readonly T[]>> {
  return values.length === 0 ? {} : { [key]: values };
}

function unique<T extends string>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}

/** The first of those that are the same. */
function uniqueBy<T>(values: readonly T[], keyOf: (value: T) => string): readonly T[] {
  const found = new Map<string, T>();
  for (const value of values) if (!found.has(keyOf(value))) found.set(keyOf(value), value);
  return [...found.values()];
}
