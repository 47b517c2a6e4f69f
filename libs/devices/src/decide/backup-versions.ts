import type { SnapshotCodec } from '#event-store/stream-snapshot';
import type { NewFact } from '#event-store/event-store';
import type { JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { BackupVersionFact } from '../facts/backup-facts.js';

/** The versions of a user's backup. */
export interface BackupVersions {
  /** The number of the last one; 0 where there was none. */
  readonly last: number;
  /** All that there ever were. */
  readonly made: ReadonlySet<string>;
  /** Those that were not deleted, with their algorithms, in the order in which they were made. */
  readonly standing: ReadonlyMap<string, string>;
}

export const NO_VERSIONS: BackupVersions = Object.freeze({ last: 0, made: new Set<string>(), standing: new Map() });

const MOST_BYTES = 65_536;
const MOST_ALGORITHM_BYTES = 255;

/** The versions as of a fact of the user's stream; others change nothing. Those of an account that has ended are gone. */
export function foldBackupVersions(versions: BackupVersions, fact: Pick<NewFact, 'type' | 'data'>): BackupVersions {
  if (fact.type === 'account-deactivated') return { ...versions, standing: new Map() };
  if (!fact.type.startsWith('backup-version-')) return versions;
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as BackupVersionFact;
  if (type === 'backup-version-changed') return versions;
  const standing = new Map(versions.standing);
  if (type === 'backup-version-deleted') {
    standing.delete(data.version);
    return { ...versions, standing };
  }
  standing.set(data.version, data.algorithm);
  return { last: Number(data.version), made: new Set([...versions.made, data.version]), standing };
}

/** How the fold is kept outside of the log. To be numbered anew when it changes. */
export const backupVersionSnapshots: SnapshotCodec<BackupVersions> = {
  version: 2,
  format: ({ last, made, standing }) => ({ last, made: [...made], standing: [...standing] }),
  restore: (kept) => {
    const { last, made, standing } = kept as { last: number; made: string[]; standing: [string, string][] }; // as `format` wrote it
    return { last, made: new Set(made), standing: new Map(standing) };
  },
};

/** The version that keys go into; undefined where there is none. */
function currentVersion({ standing }: BackupVersions): string | undefined {
  return [...standing.keys()].at(-1);
}

/** A new version, which keys go into from then on; `number` is its name. Throws M_TOO_LARGE, M_INVALID_PARAM. */
export function decideNewVersion(number: number, algorithm: string, authData: JsonValue): BackupVersionFact[] {
  checkAuthData(authData);
  if (algorithm === '' || Buffer.byteLength(algorithm) > MOST_ALGORITHM_BYTES) {
    throw new MatrixError('M_INVALID_PARAM', `The algorithm must have 1 to ${MOST_ALGORITHM_BYTES} bytes`);
  }
  const data = { version: String(number), algorithm, auth_data: authData };
  return [{ type: 'backup-version-created', data }];
}

/** Other auth data of a version. Throws M_NOT_FOUND, M_INVALID_PARAM (another algorithm), M_TOO_LARGE. */
export function decideChangedVersion(
  versions: BackupVersions,
  version: string,
  algorithm: string,
  authData: JsonValue,
): BackupVersionFact[] {
  checkStanding(versions, version);
  if (versions.standing.get(version) !== algorithm)
    throw new MatrixError('M_INVALID_PARAM', 'Algorithm does not match');
  checkAuthData(authData);
  return [{ type: 'backup-version-changed', data: { version, auth_data: authData } }];
}

/** The end of a version; nothing where it was deleted before. Throws M_NOT_FOUND where there never was one. */
export function decideDeletedVersion(versions: BackupVersions, version: string): BackupVersionFact[] {
  if (versions.standing.has(version)) return [{ type: 'backup-version-deleted', data: { version } }];
  if (versions.made.has(version)) return [];
  throw noSuchVersion();
}

/** Throws M_NOT_FOUND where there is no such version. */
export function checkStanding({ standing }: BackupVersions, version: string): void {
  if (!standing.has(version)) throw noSuchVersion();
}

/**
 * Throws M_WRONG_ROOM_KEYS_VERSION, naming the current version, where keys may not go into a version any more, and M_NOT_FOUND where
 * there never was one, or where there is no backup.
 */
export function checkCurrent(versions: BackupVersions, version: string): void {
  const current = currentVersion(versions);
  if (version === current) return;
  if (current === undefined || !versions.made.has(version)) throw noSuchVersion();
  throw new MatrixError('M_WRONG_ROOM_KEYS_VERSION', undefined, { fields: { current_version: current } });
}

function noSuchVersion(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'Unknown backup version');
}

function checkAuthData(authData: JsonValue): void {
  if (Buffer.byteLength(JSON.stringify(authData)) <= MOST_BYTES) return;
  throw new MatrixError('M_TOO_LARGE', `auth_data may have ${MOST_BYTES} bytes at most`);
}
