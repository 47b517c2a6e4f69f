import { expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import type { ServerName } from '#kernel/ids';
import { readEntry } from './read-entry.js';

const PEER = 'id.example' as ServerName;
const signatures = { 'id.example': { 'ed25519:1': 'c2ln' }, 'other.example': { 'ed25519:1': 'c2ln' } };
const ID = 'a'.repeat(22);
const said: JsonObject = {
  medium: 'email',
  address: 'bob@mail.example',
  mxid: '@bob:b.example',
  ts: 1,
  not_before: 1,
  not_after: 2,
  signatures,
};
const live = (more: JsonObject = {}): JsonObject => ({
  association_id: ID,
  ts: 1,
  association: { ...said, ...more },
  signatures,
});
const over: JsonObject = { association_id: ID, ts: 2, signatures };

it('reads whose an identifier is, in the name of the peer alone', () => {
  expect(readEntry(live({ by: 'b.example' }), PEER)).toEqual({
    kind: 'association',
    told: {
      association_id: ID,
      mxid: '@bob:b.example',
      ts: 1,
      not_before: 1,
      not_after: 2,
      by: PEER,
      of: { medium: 'email', address: 'bob@mail.example' },
      signatures: { 'id.example': { 'ed25519:1': 'c2ln' } },
    },
  });
});

it('reads what has ended', () => {
  expect(readEntry(over, PEER)).toEqual({ kind: 'end', told: { association_id: ID, ts: 2, by: PEER } });
});

it('reads who may find somebody, and takes what it cannot read for nobody', () => {
  const person = { mxid: '@bob:b.example', ts: 1, signatures };
  const readersOf = (readers: unknown) => readEntry({ ...person, readers } as JsonObject, PEER);
  const told = (readers: readonly string[]) => ({ kind: 'readers', told: { mxid: '@bob:b.example', ts: 1, readers } });
  expect(readersOf(['@alice:a.example', 'contacts', 'friends', 1])).toEqual(told(['@alice:a.example', 'contacts']));
  expect(readersOf('everybody')).toEqual(told([]));
});

it.each([
  {},
  said,
  live({ mxid: 'bob' }),
  live({ ts: -1 }),
  live({ ts: 1.5 }),
  live({ ts: 2 }),
  live({ address: 'BOB@mail.example' }),
  live({ address: 'nobody' }),
  live({ medium: 'pigeon' }),
  live({ not_after: 'never' }),
  live({ signatures: 1 }),
  { ...live(), association: 'none' },
  { ...live(), association_id: 'x' },
  { ...over, association_id: 1 },
  { ...over, ts: undefined },
])('reads nothing of %j', (entry) => expect(readEntry(entry as JsonObject, PEER)).toBeUndefined());
