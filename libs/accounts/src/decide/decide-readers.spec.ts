import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import type { MatrixError } from '#kernel/matrix-error';
import { given as givenFacts, type Expectation, type PlainFact } from '#testing/given';
import type { AccountFact, ListedData, ReaderEntry } from '../facts/account-facts.js';
import { type Account, NO_ACCOUNT } from './account.js';
import { decideReaders, parseReaders } from './decide-readers.js';
import { foldAccountFact } from './fold-facts.js';
import { contentOfValue, valueOfContent } from './user-data.js';

type Decision = (account: Account) => readonly AccountFact[];

const given = (...facts: readonly PlainFact[]): { when(decision: Decision): Expectation } =>
  givenFacts(
    {
      initialState: NO_ACCOUNT,
      evolve: foldAccountFact,
      decide: (account: Account, decision: Decision) =>
        decision(account).map(({ type, data }) => ({ id: randomUUID(), type, data: JSON.stringify(data) })),
    },
    facts,
  );

const OURS = 'example.org' as ServerName;
const registered = {
  type: 'account-registered',
  data: { user_id: '@alice:example.org' as UserId, kind: 'user', via: 'open' },
};
const listed = (data: object): PlainFact => ({ type: 'readers-set', data });
const set = (of: ListedData, key: string, readers: readonly ReaderEntry[] | undefined): Decision => {
  return (account) => decideReaders(account, of, key, readers);
};
const refusal = (errcode: string): MatrixError => expect.objectContaining({ errcode }) as unknown as MatrixError;

describe('who may read a field', () => {
  const list = listed({ of: 'profile', key: 'm.tz', readers: ['rooms'] });

  it('is said once, and taken back by saying what holds without a list', () => {
    given(registered)
      .when(set('profile', 'm.tz', ['rooms']))
      .then([list]);
    given(registered, list)
      .when(set('profile', 'm.tz', ['rooms']))
      .then([]);
    const removed = listed({ of: 'profile', key: 'm.tz', removed: true });
    for (const open of [undefined, ['everybody']] as const) {
      given(registered, list)
        .when(set('profile', 'm.tz', open))
        .then([removed]);
      given(registered)
        .when(set('profile', 'm.tz', open))
        .then([]);
    }
    given(registered)
      .when(set('profile', 'm.tz', []))
      .then([listed({ of: 'profile', key: 'm.tz', readers: [] })]);
  });

  it('is nobody of private data that nobody was named for', () => {
    given(registered)
      .when(set('user-data', 'm.tz', []))
      .then([]);
    const open = listed({ of: 'user-data', key: 'Any Key', readers: ['everybody'] });
    given(registered)
      .when(set('user-data', 'Any Key', ['everybody']))
      .then([open]);
    const closed = listed({ of: 'user-data', key: 'Any Key', removed: true });
    given(registered, open)
      .when(set('user-data', 'Any Key', []))
      .then([closed]);
  });

  it('is of a field under each of its names', () => {
    const name = listed({ of: 'profile', key: 'displayname', readers: [] });
    given(registered)
      .when(set('profile', 'm.profile.display_name', []))
      .then([name]);
    given(registered, name)
      .when(set('profile', 'displayname', []))
      .then([]);
  });

  it('may find the user by the addresses of a medium that there is', () => {
    const found = listed({ of: 'threepids', key: 'email', readers: ['contacts'] });
    given(registered)
      .when(set('threepids', 'email', ['contacts']))
      .then([found]);
    given(registered)
      .when(set('threepids', 'email', []))
      .then([]);
    given(registered)
      .when(set('threepids', 'fax', ['contacts']))
      .thenRefused('M_INVALID_PARAM');
  });

  it('is refused of what can be no field, and beyond what an account may have of lists', () => {
    given(registered)
      .when(set('profile', 'No Key', []))
      .thenRefused('M_INVALID_PARAM');
    given(registered)
      .when(set('user-data', '', ['rooms']))
      .thenRefused('M_INVALID_PARAM');
    const many = Array.from({ length: 200 }, (_, n) => listed({ of: 'user-data', key: `k${n}`, readers: ['rooms'] }));
    given(registered, ...many)
      .when(set('user-data', 'one.more', ['rooms']))
      .thenRefused('M_USER_LIMIT_EXCEEDED');
    given(registered, ...many)
      .when(set('user-data', 'k7', ['contacts']))
      .then([listed({ of: 'user-data', key: 'k7', readers: ['contacts'] })]);
  });
});

describe('an access list', () => {
  it('is read in one order, each entry once, user ids of this server in small letters', () => {
    const list = ['rooms', '@BOB:example.org', 'group:Family', 'rooms', '@Zoe:other.example', 'contacts'];
    expect(parseReaders(list, OURS)).toEqual([
      '@Zoe:other.example',
      '@bob:example.org',
      'contacts',
      'group:Family',
      'rooms',
    ]);
    expect(parseReaders(['rooms', 'everybody'], OURS)).toEqual(['everybody']);
    expect(parseReaders([], OURS)).toEqual([]);
  });

  it.each<[JsonValue | undefined, string]>([
    [undefined, 'M_BAD_JSON'],
    ['rooms', 'M_BAD_JSON'],
    [{ 0: 'rooms' }, 'M_BAD_JSON'],
    [[5], 'M_BAD_JSON'],
    [['nobody'], 'M_INVALID_PARAM'],
    [['group:'], 'M_INVALID_PARAM'],
    [[`group:${'x'.repeat(256)}`], 'M_INVALID_PARAM'],
    [['@bob'], 'M_INVALID_PARAM'],
    [Array.from({ length: 101 }, (_, n) => `@u${n}:a`), 'M_INVALID_PARAM'],
  ])('is refused where it is none: %j', (value, errcode) => {
    expect(() => parseReaders(value, OURS)).toThrow(refusal(errcode));
  });
});

describe('a value of private data', () => {
  it.each<[JsonValue, object]>([
    [{ theme: 'dark' }, { theme: 'dark' }],
    ['dark', { k: 'dark' }],
    [null, { k: null }],
    [{}, { k: {} }],
    [{ k: 5 }, { k: { k: 5 } }],
    [{ k: { k: 5 } }, { k: { k: { k: 5 } } }],
    [
      { k: 5, l: 6 },
      { k: 5, l: 6 },
    ],
  ])('is kept as an object and read as it was: %j', (value, content) => {
    expect(contentOfValue('k', value)).toEqual(content);
    expect(valueOfContent('k', contentOfValue('k', value))).toEqual(value);
  });

  it('is none where the object is empty', () => {
    expect(valueOfContent('k', {})).toBeUndefined();
  });
});
