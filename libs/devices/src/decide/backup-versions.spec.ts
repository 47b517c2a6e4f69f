import { describe, expect, it } from 'vitest';
import type { BackupVersionFact } from '../facts/backup-facts.js';
import {
  backupVersionSnapshots,
  type BackupVersions,
  checkCurrent,
  checkStanding,
  decideChangedVersion,
  decideDeletedVersion,
  decideNewVersion,
  foldBackupVersions,
  NO_VERSIONS,
} from './backup-versions.js';

const ALGORITHM = 'm.megolm_backup.v1.curve25519-aes-sha2';
const refusal = (errcode: string): unknown => expect.objectContaining({ errcode });
const fold = (versions: BackupVersions, facts: readonly BackupVersionFact[]): BackupVersions =>
  facts.reduce((state, { type, data }) => foldBackupVersions(state, { type, data: JSON.stringify(data) }), versions);
const create = (versions: BackupVersions): BackupVersions =>
  fold(versions, decideNewVersion(versions.last + 1, ALGORITHM, {}));
const remove = (versions: BackupVersions, version: string): BackupVersions =>
  fold(versions, decideDeletedVersion(versions, version));

describe('the versions of a backup', () => {
  const three = create(create(create(NO_VERSIONS)));

  it('are numbered, and no number comes again', () => {
    expect([...three.standing.keys()]).toEqual(['1', '2', '3']);
    expect([...create(remove(three, '3')).standing.keys()]).toEqual(['1', '2', '4']);
  });

  it('take keys into the last of them alone, which the refusal of others names', () => {
    expect(() => checkCurrent(three, '3')).not.toThrow();
    const wrong = expect.objectContaining({
      errcode: 'M_WRONG_ROOM_KEYS_VERSION',
      status: 403,
      fields: { current_version: '3' },
    });
    expect(() => checkCurrent(three, '2')).toThrow(wrong);
    expect(() => checkCurrent(remove(three, '2'), '2')).toThrow(wrong);
    expect(() => checkCurrent(remove(three, '3'), '2')).not.toThrow();
    for (const version of ['4', '0', '03', 'x', '']) expect(() => checkCurrent(three, version)).toThrow(refusal('M_NOT_FOUND')); // prettier-ignore
    expect(() => checkCurrent(NO_VERSIONS, '1')).toThrow(refusal('M_NOT_FOUND'));
  });

  it('are deleted once; again is no error, one that never was is', () => {
    const two = remove(three, '1');
    expect(() => checkStanding(two, '1')).toThrow(refusal('M_NOT_FOUND'));
    expect(decideDeletedVersion(two, '1')).toEqual([]);
    expect(() => decideDeletedVersion(two, '4')).toThrow(refusal('M_NOT_FOUND'));
    expect(() => decideDeletedVersion(two, '01')).toThrow(refusal('M_NOT_FOUND'));
  });

  it('change their auth data and not their algorithm', () => {
    const [changed] = decideChangedVersion(three, '2', ALGORITHM, { a: 1 });
    expect(changed?.data).toEqual({ version: '2', auth_data: { a: 1 } });
    expect(fold(three, [changed!])).toEqual(three);
    expect(() => decideChangedVersion(three, '2', 'other', {})).toThrow(refusal('M_INVALID_PARAM'));
    expect(() => decideChangedVersion(three, '4', ALGORITHM, {})).toThrow(refusal('M_NOT_FOUND'));
    expect(() => decideChangedVersion(three, '2', ALGORITHM, { a: 'x'.repeat(65_536) })).toThrow(refusal('M_TOO_LARGE')); // prettier-ignore
  });

  it('are kept outside of the log as they are, and end with the account', async () => {
    const two = remove(three, '2');
    const kept: unknown = JSON.parse(JSON.stringify(backupVersionSnapshots.format(two)));
    expect(await backupVersionSnapshots.restore(kept, async () => undefined)).toEqual(two);
    expect(foldBackupVersions(two, { type: 'account-deactivated', data: '{}' })).toEqual({ ...two, standing: new Map() }); // prettier-ignore
  });
});
