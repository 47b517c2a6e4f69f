import { statSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isOfLockFile, isOfMachine } from './is-of-machine.js';
import { NoRoom } from './no-room.js';

const saidByLmdb = (code: number, message = ''): Error => Object.assign(new Error(message), { code });

describe('an error', () => {
  it.each(['EINVAL', 'EAGAIN', 'EACCES', 'EMFILE', 'ENOSPC', 'EIO', 'ESTALE'] as const)(
    'of the system that LMDB hands on is none of a file: %s',
    (name) => expect(isOfMachine(saidByLmdb(constants.errno[name]))).toBe(true),
  );

  it.each([
    ['MDB_PAGE_NOTFOUND', -30797, false],
    ['MDB_CORRUPTED', -30796, false],
    ['MDB_PANIC', -30795, true],
    ['MDB_VERSION_MISMATCH', -30794, false],
    ['MDB_INVALID', -30793, false],
    ['MDB_MAP_FULL', -30792, true],
    ['MDB_DBS_FULL', -30791, false],
    ['MDB_READERS_FULL', -30790, true],
    ['MDB_TLS_FULL', -30789, true],
    ['MDB_MAP_RESIZED', -30785, true],
    ['MDB_INCOMPATIBLE', -30784, false],
    ['MDB_BAD_RSLOT', -30783, true],
    ['MDB_BAD_TXN', -30782, false],
    ['MDB_PROBLEM', -30779, false],
    ['MDB_LOCK_FAILURE', -30775, true],
  ])('of LMDB is one of a file or not: %s', (message, code, isOfNoFile) =>
    expect(isOfMachine(saidByLmdb(code, `${message}: what it means`))).toBe(isOfNoFile),
  );

  it('of LMDB may be one of its lock file, which says nothing of the data', () => {
    const error = saidByLmdb(-30793, 'MDB_INVALID: File is not an LMDB file: Attempting to setup locks');
    expect([isOfLockFile(error), isOfMachine(error)]).toEqual([true, true]);
  });

  it('that Node hands on is none of a file, but where a disk cannot read it', () => {
    let missing: unknown;
    try {
      statSync('/nothing/is/here');
    } catch (error) {
      missing = error;
    }
    expect(isOfMachine(missing)).toBe(true);
    expect(isOfMachine(Object.assign(new Error(), { code: 'EIO', syscall: 'read' }))).toBe(false);
    expect(isOfMachine(new NoRoom('/a/data.mdb', new Error('ENOSPC')))).toBe(true);
    expect(isOfMachine(new Error('its format is another'))).toBe(false);
  });
});
