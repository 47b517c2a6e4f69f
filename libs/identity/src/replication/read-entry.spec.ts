import { expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import type { ServerName } from '#kernel/ids';
import { readEntry } from './read-entry.js';

const PEER = 'id.example' as ServerName;
const signatures = { 'id.example': { 'ed25519:1': 'c2ln' }, 'other.example': { 'ed25519:1': 'c2ln' } };
const live: JsonObject = {
  medium: 'email',
  address: 'bob@mail.example',
  mxid: '@bob:b.example',
  ts: 1,
  not_before: 1,
  not_after: 2,
  signatures,
};
const over: JsonObject = {
  hash: 'a'.repeat(64),
  mxid: '@bob:b.example',
  made_ts: 1,
  made_by: 'b.example',
  ts: 2,
  signatures,
};

it('reads whose an identifier is, in the name of the peer alone', () => {
  expect(readEntry({ ...live, by: 'b.example' }, PEER)).toEqual({
    kind: 'association',
    told: {
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

it('reads what has ended, whoever made it', () => {
  expect(readEntry(over, PEER)).toEqual({
    kind: 'end',
    hash: 'a'.repeat(64),
    told: { mxid: '@bob:b.example', ts: 2, made: { ts: 1, by: 'b.example' }, by: PEER },
  });
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
  { ...live, mxid: 'bob' },
  { ...live, ts: -1 },
  { ...live, ts: 1.5 },
  { ...live, address: 'BOB@mail.example' },
  { ...live, address: 'nobody' },
  { ...live, medium: 'pigeon' },
  { ...live, not_after: 'never' },
  { ...live, signatures: 1 },
  { ...over, hash: 'x' },
  { ...over, made_by: 'no server' },
  { ...over, made_ts: undefined },
  { ...over, made_ts: 3 },
])('reads nothing of %j', (entry) => expect(readEntry(entry as JsonObject, PEER)).toBeUndefined());
