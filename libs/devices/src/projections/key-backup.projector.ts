import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import {
  BACKUP_SHAPES,
  backupOfStream,
  type BackedUpSession,
  type BackupState,
  type BackupVersionFact,
  type SessionBackedUp,
  type SessionsRemoved,
} from '../facts/backup-facts.js';

/** A version of a backup. */
export interface BackupVersionRow {
  readonly algorithm: string;
  readonly auth_data: JsonValue;
}

/** A version of a user's backup, as rows name it. */
export type BackupKey = readonly [userId: UserId, version: string];

export const BACKUP_VERSIONS = new Collection<BackupKey, BackupVersionRow>('backup-versions', {
  key: ['user', 'version, with leading zeros'],
  says: 'algorithm and auth data of a version that was not deleted',
  codec: asJson(),
});

export const BACKUP_STATES = new Collection<BackupKey, BackupState>('backup-states', {
  key: ['user', 'version, with leading zeros'],
  says: 'how many keys are in it, and the number of their last change',
  codec: asJson(),
});

export const BACKED_UP = new Collection<readonly [...BackupKey, roomId: RoomId, sessionId: string], BackedUpSession>(
  'backed-up-keys',
  { key: ['user', 'version, with leading zeros', 'room', 'session'], says: 'the key of a session', codec: asJson() },
);

const DIGITS = 10;
const PAGE = 500;

/** A version as rows name it: in the order of numbers. */
export function backupKey(userId: UserId, version: string): BackupKey {
  return [userId, version.padStart(DIGITS, '0')];
}

/** A version as clients name it. */
export function versionOfKey([, version]: BackupKey): string {
  return String(Number(version));
}

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/** Backups of keys: their versions, and the keys in each. */
export const keyBackupProjector: Projector = {
  name: 'key-backup',
  version: 1,
  ...owning(BACKUP_VERSIONS, BACKUP_STATES, BACKED_UP),
  handles: (type) => type === DEACTIVATED || Object.hasOwn(BACKUP_SHAPES, type),
  // As of `sayBackupAgain`.
  isForgotten: (type) => type === 'session-backed-up' || type === 'sessions-removed',
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  switch (fact.type) {
    case 'session-backed-up': {
      const {
        room_id: roomId,
        session_id: sessionId,
        count,
        etag,
        ...session
      } = JSON.parse(fact.data) as SessionBackedUp;
      const backup = await findBackup(fact, rows);
      if (backup === undefined) return;
      BACKED_UP.put(rows, [...backup, roomId, sessionId], session);
      return BACKUP_STATES.put(rows, backup, { count, etag });
    }
    case 'sessions-removed': {
      const { sessions, count, etag } = JSON.parse(fact.data) as SessionsRemoved;
      const backup = await findBackup(fact, rows);
      if (backup === undefined) return;
      for (const [roomId, ids] of Object.entries(sessions)) {
        for (const id of ids) BACKED_UP.delete(rows, [...backup, roomId as RoomId, id]);
      }
      return BACKUP_STATES.put(rows, backup, { count, etag });
    }
    case DEACTIVATED: {
      const userId = userIdOfStream(fact.stream);
      for await (const versions of BACKUP_VERSIONS.pages(rows, { prefix: [userId] }, PAGE)) {
        for (const { key } of versions) await removeVersion(rows, key);
      }
      return;
    }
    default:
      return projectVersion(userIdOfStream(fact.stream), fact, rows);
  }
}

async function projectVersion(userId: UserId, fact: RecordedFact, rows: OwnRows): Promise<void> {
  // Only this library writes these types: their data has the shape that BackupVersionFacts gives.
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as BackupVersionFact;
  const key = backupKey(userId, data.version);
  if (type === 'backup-version-deleted') return removeVersion(rows, key);
  const { auth_data: authData } = data;
  const algorithm =
    type === 'backup-version-created' ? data.algorithm : (await BACKUP_VERSIONS.get(rows, key))?.algorithm;
  if (algorithm !== undefined) BACKUP_VERSIONS.put(rows, key, { algorithm, auth_data: authData });
}

/** The backup that a fact is about; undefined where it was deleted meanwhile: the two are written side by side. */
async function findBackup({ stream }: RecordedFact, rows: OwnRows): Promise<BackupKey | undefined> {
  const backup = backupKey(...backupOfStream(stream));
  return (await BACKUP_VERSIONS.has(rows, backup)) ? backup : undefined;
}

async function removeVersion(rows: OwnRows, key: BackupKey): Promise<void> {
  BACKUP_VERSIONS.delete(rows, key);
  BACKUP_STATES.delete(rows, key);
  for await (const page of BACKED_UP.pages(rows, { prefix: key }, PAGE)) {
    for (const row of page) BACKED_UP.delete(rows, row.key);
  }
}
