import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { atOnce } from '#kernel/steps';
import { mergeContacts as mergeInSteps, type Person, type WrittenContact } from './merge-contacts.js';

const mergeContacts = (contacts: readonly WrittenContact[], shared: ReadonlySet<string>): Person[] =>
  atOnce(mergeInSteps(contacts, shared));
const mail = (name: string, label?: string) => ({
  medium: 'email',
  address: `${name}@example.org`,
  ...(label === undefined ? {} : { label }),
});
const put = (id: string, contact: WrittenContact['contact']): WrittenContact => ({
  id,
  ts: id.codePointAt(0) ?? 0,
  contact,
  matches: [],
});
const idsOf = (people: readonly Person[]): unknown => people.map((person) => person.contact_ids);
const NONE: ReadonlySet<string> = new Set();

const written = fc
  .uniqueArray(
    fc.record({
      id: fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), minLength: 3, maxLength: 4 }),
      uid: fc.option(fc.constantFrom('u1', 'u2', 'u3'), { nil: undefined }),
      name: fc.option(fc.constantFrom('Al', 'Bo', 'Cy'), { nil: undefined }),
      names: fc.array(fc.constantFrom('p', 'q', 'r', 's', 't', 'v'), { maxLength: 3 }),
      users: fc.array(fc.constantFrom('@x:a', '@y:a'), { maxLength: 1 }),
    }),
    { selector: ({ id }) => id, maxLength: 14 },
  )
  .map((drawn) =>
    drawn.map(({ id, uid, name, names, users }) => {
      const contact = { uid, name, threepids: names.map((each) => mail(each)), user_ids: users as UserId[] };
      return put(id, JSON.parse(JSON.stringify(contact)) as WrittenContact['contact']);
    }),
  );

describe('contacts', () => {
  it('are of one person by a uid, an address or a user id, also over others', () => {
    const contacts = [
      put('a', { uid: 'u1', name: 'Bob', threepids: [mail('bob', 'home')] }),
      put('b', { name: 'Robert', threepids: [mail('bob'), mail('robert')] }),
      put('c', { user_ids: ['@bob:b.example' as UserId], threepids: [mail('robert', 'work')], 'org.pet': 'cat' }),
      put('d', { uid: 'u1', note: 'a friend', 'org.pet': 'dog' }),
      put('e', { name: 'Eve', threepids: [mail('eve')] }),
    ];
    expect(mergeContacts(contacts, NONE)).toEqual([
      {
        contact_id: 'a',
        contact_ids: ['a', 'b', 'c', 'd'],
        name: 'Robert',
        other_names: ['Bob'],
        uids: ['u1'],
        threepids: [mail('robert', 'work'), mail('bob')],
        user_ids: ['@bob:b.example'],
        notes: ['a friend'],
        'org.pet': 'dog',
      },
      { contact_id: 'e', contact_ids: ['e'], name: 'Eve', threepids: [mail('eve')] },
    ]);
  });

  it('are not of one person by an address of several people', () => {
    const contacts = [put('a', { threepids: [mail('home')] }), put('b', { threepids: [mail('home')] })];
    expect(idsOf(mergeContacts(contacts, NONE))).toEqual([['a', 'b']]);
    expect(idsOf(mergeContacts(contacts, new Set(['email home@example.org'])))).toEqual([['a'], ['b']]);
  });

  it('say whom their addresses are of, as long as they have these', () => {
    const match = { ...mail('bob'), user_id: '@bob:b.example' as UserId, by: 'id.example' };
    const [one, other] = [put('a', { threepids: [mail('bob')] }), put('b', { name: 'B' })];
    expect(mergeContacts([{ ...one, matches: [match] }], NONE)).toMatchObject([
      { user_ids: ['@bob:b.example'], matches: [match] },
    ]);
    expect(mergeContacts([{ ...other, matches: [match] }], NONE)[0]).not.toHaveProperty('user_ids');
  });

  it('make the same people in whatever order they come, and each is of one person', () => {
    fc.assert(
      fc.property(written, fc.infiniteStream(fc.nat()), (contacts, chances) => {
        const people = mergeContacts(contacts, NONE);
        const keyed = contacts.map((contact) => [chances.next().value, contact] as const);
        const shuffled = keyed.toSorted(([a], [b]) => Number(a) - Number(b)).map(([, contact]) => contact);
        expect(mergeContacts(shuffled, NONE)).toEqual(people);
        const ids = people.flatMap((person) => person.contact_ids);
        expect(ids.toSorted()).toEqual(contacts.map(({ id }) => id).toSorted());
      }),
    );
  });

  it('share nothing with contacts of other people, and with some of their own', () => {
    const signsOf = ({ contact: { uid, threepids = [], user_ids = [] } }: WrittenContact): string[] => [
      ...(uid === undefined ? [] : [uid]),
      ...threepids.map(({ address }) => address),
      ...user_ids,
    ];
    fc.assert(
      fc.property(written, (contacts) => {
        const by = new Map(contacts.map((contact) => [contact.id, contact]));
        const people = mergeContacts(contacts, NONE).map(({ contact_ids: ids }) => ids.map((id) => by.get(id)!));
        for (const [i, own] of people.entries()) {
          const signs = new Set(own.flatMap(signsOf));
          const others = people.filter((_, j) => j !== i).flat();
          expect(others.flatMap(signsOf).filter((sign) => signs.has(sign))).toEqual([]);
          if (own.length < 2) continue;
          for (const each of own) {
            const rest = new Set(own.filter((other) => other !== each).flatMap(signsOf));
            expect(signsOf(each).some((sign) => rest.has(sign))).toBe(true);
          }
        }
      }),
    );
  });

  it('are of no more persons, and of no others, once one more joins them; without it they are apart again', () => {
    fc.assert(
      fc.property(written, (contacts) => {
        const all = mergeContacts(contacts, NONE).map((person) => new Set(person.contact_ids));
        for (const person of mergeContacts(contacts.slice(1), NONE)) {
          expect(all.some((ids) => person.contact_ids.every((id) => ids.has(id)))).toBe(true);
        }
      }),
    );
  });

  it('are merged in the time that reading them takes, in one long chain too', () => {
    const contacts = Array.from({ length: 5_000 }, (_, n) =>
      put(String(n).padStart(4, '0'), { threepids: [mail(`p${n}`), mail(`p${n + 1}`)] }),
    );
    const begun = performance.now();
    expect(mergeContacts(contacts, NONE)).toHaveLength(1);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});
