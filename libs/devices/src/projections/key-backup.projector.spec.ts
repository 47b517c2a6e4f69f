import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { project, type StreamFact } from '#testing/project';
import { backupKey, keyBackupProjector, versionOfKey } from './key-backup.projector.js';

const ALICE = '@alice:a.example' as UserId;
const ROOM = '!r:a.example';
const ofUser = (type: string, data: object): StreamFact => ({ stream: `user-${ALICE}`, type, data });
const created = (version: string, auth_data: object = {}): StreamFact =>
  ofUser('backup-version-created', { version, algorithm: 'a', auth_data });
const deleted = (version: string): StreamFact => ofUser('backup-version-deleted', { version });
const put = (version: string, session: string, count: number, etag: number): StreamFact => ({
  stream: `backup-${ALICE}|${version}`,
  type: 'session-backed-up',
  data: { room_id: ROOM, session_id: session, session_data: { etag }, count, etag },
});
const removed = (version: string, sessions: object, count: number, etag: number): StreamFact => ({
  stream: `backup-${ALICE}|${version}`,
  type: 'sessions-removed',
  data: { sessions, count, etag },
});

/** All rows, without the user's name. */
const rowsOf = async (...facts: StreamFact[]): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(await project(keyBackupProjector, facts)).map(([key, value]) => [
      key.replace(`${ALICE} `, ''),
      value,
    ]),
  );
const one = { algorithm: 'a', auth_data: {} };

describe('a backup', () => {
  it('has of each session the key that came last, and what the last fact says of all', async () => {
    expect(await rowsOf(created('1'), put('1', 's', 1, 1), put('1', 't', 2, 1), put('1', 's', 2, 2))).toEqual({
      'backup-versions 0000000001': one,
      'backup-states 0000000001': { count: 2, etag: 2 },
      [`backed-up-keys 0000000001 ${ROOM} s`]: { session_data: { etag: 2 } },
      [`backed-up-keys 0000000001 ${ROOM} t`]: { session_data: { etag: 1 } },
    });
    expect(await rowsOf(created('1'), put('1', 's', 1, 1), removed('1', { [ROOM]: ['s', 'x'] }, 0, 2))).toEqual({
      'backup-versions 0000000001': one,
      'backup-states 0000000001': { count: 0, etag: 2 },
    });
  });

  it('is gone with all keys in it, also with those that were being put there meanwhile', async () => {
    const facts = [created('1'), created('2'), put('1', 's', 1, 1), deleted('1')];
    expect(await rowsOf(...facts, put('1', 't', 2, 2), removed('1', {}, 0, 3))).toEqual({
      'backup-versions 0000000002': one,
    });
  });

  it('is gone in all its versions with the account', async () => {
    const facts = [created('1'), created('2'), put('1', 's', 1, 1), put('2', 's', 1, 1)];
    expect(await rowsOf(...facts, ofUser('account-deactivated', {}), put('2', 't', 2, 2))).toEqual({});
  });

  it('changes its auth data alone, and that only where it is there', async () => {
    const changed = (version: string): StreamFact =>
      ofUser('backup-version-changed', { version, auth_data: { key: 'new' } });
    expect(await rowsOf(created('1', { key: 'old' }), changed('1'), changed('2'))).toEqual({
      'backup-versions 0000000001': { algorithm: 'a', auth_data: { key: 'new' } },
    });
  });
});

it('versions stand in the order of numbers, and are told as numbers', () => {
  const keys = ['2', '10', '1767225600'].map((version) => backupKey(ALICE, version));
  expect(keys.map(([, name]) => name)).toEqual(keys.map(([, name]) => name).toSorted());
  expect(keys.map(versionOfKey)).toEqual(['2', '10', '1767225600']);
});
