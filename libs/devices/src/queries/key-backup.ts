import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { isBackupVersion } from '../facts/backup-facts.js';
import {
  BACKED_UP,
  BACKUP_STATES,
  BACKUP_VERSIONS,
  type BackupKey,
  backupKey,
  versionOfKey,
} from '../projections/key-backup.projector.js';

/** A version of a backup, as its user sees it. */
export interface BackupInfo {
  readonly algorithm: string;
  readonly auth_data: JsonValue;
  readonly count: number;
  readonly etag: string;
  readonly version: string;
}

type Reads = Pick<Views, 'get' | 'scan'>;

/** So many keys are read at a time; then other requests have their turn. */
const PAGE = 500;

/** A version of a user's backup, or the current one. Throws M_NOT_FOUND. */
export async function getBackup(views: Reads, userId: UserId, version?: string): Promise<BackupInfo> {
  const key = version === undefined ? await findCurrent(views, userId) : findKey(userId, version);
  const row = key && (await BACKUP_VERSIONS.get(views, key));
  if (key === undefined || row === undefined) {
    throw new MatrixError(
      'M_NOT_FOUND',
      version === undefined ? 'No current backup version' : 'Unknown backup version',
    );
  }
  const { count, etag } = (await BACKUP_STATES.get(views, key)) ?? { count: 0, etag: 0 };
  return { ...row, count, etag: String(etag), version: versionOfKey(key) };
}

async function findCurrent(views: Reads, userId: UserId): Promise<BackupKey | undefined> {
  const [last] = await BACKUP_VERSIONS.scan(views, { prefix: [userId], reverse: true, limit: 1 });
  return last?.key;
}

function findKey(userId: UserId, version: string): BackupKey | undefined {
  return isBackupVersion(version) ? backupKey(userId, version) : undefined;
}

/** The keys of all rooms, as JSON text. Throws M_NOT_FOUND where there is no such version. */
export async function readBackup(views: Reads, userId: UserId, version: string): Promise<string> {
  await getBackup(views, userId, version);
  const rooms = new Map<RoomId, string[]>();
  for await (const page of BACKED_UP.pages(views, { prefix: backupKey(userId, version) }, PAGE)) {
    for (const { key, value } of page) {
      const sessions = rooms.get(key[2]) ?? [];
      rooms.set(key[2], sessions);
      sessions.push(`${JSON.stringify(key[3])}:${JSON.stringify(value)}`);
    }
    await nextTurn();
  }
  const texts = [...rooms].map(([roomId, sessions]) => `${JSON.stringify(roomId)}:{"sessions":{${sessions.join()}}}`);
  return `{"rooms":{${texts.join()}}}`;
}

/** The keys of a room, as JSON text. Throws as `readBackup`. */
export async function readRoomBackup(views: Reads, userId: UserId, version: string, roomId: RoomId): Promise<string> {
  await getBackup(views, userId, version);
  const sessions: string[] = [];
  for await (const page of BACKED_UP.pages(views, { prefix: [...backupKey(userId, version), roomId] }, PAGE)) {
    for (const { key, value } of page) sessions.push(`${JSON.stringify(key[3])}:${JSON.stringify(value)}`);
    await nextTurn();
  }
  return `{"sessions":{${sessions.join()}}}`;
}

/** The key of a session. Throws M_NOT_FOUND where there is no such version, or no key of that session in it. */
export async function getBackedUpKey(
  views: Reads,
  userId: UserId,
  version: string,
  roomId: RoomId,
  sessionId: string,
): Promise<object> {
  await getBackup(views, userId, version);
  const key = await BACKED_UP.get(views, [...backupKey(userId, version), roomId, sessionId]);
  if (key === undefined) throw new MatrixError('M_NOT_FOUND', 'No key of this session in the backup');
  return key;
}
