import type { FactShapes } from '#event-store/fact-shapes';
import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';

/** The keys of sessions in one version of a user's backup: of each session only the last fact counts, and the others go. */
export const BACKUP_STREAM_PREFIX = 'backup-';
export const backupStream = (userId: UserId, version: string): string => `${BACKUP_STREAM_PREFIX}${userId}|${version}`;

/** Whose backup a stream is of, and which version. No user id of this server has a `|`. */
export function backupOfStream(stream: string): readonly [userId: UserId, version: string] {
  const bar = stream.indexOf('|');
  return [stream.slice(BACKUP_STREAM_PREFIX.length, bar) as UserId, stream.slice(bar + 1)];
}

/** Whether it is the name of a version as this server gives them: a number, written in one way. */
export function isBackupVersion(version: string): boolean {
  return /^[1-9]\d{0,9}$/.test(version);
}

/** In `user-{user_id}`: `backup-version-created`: from here on keys go into this version, a number that was never given before. */
export interface BackupVersionCreated {
  readonly version: string;
  readonly algorithm: string;
  readonly auth_data: JsonValue;
}

/** In `user-{user_id}`: `backup-version-changed`. */
export interface BackupVersionChanged {
  readonly version: string;
  readonly auth_data: JsonValue;
}

/** In `user-{user_id}`: `backup-version-deleted`: with all keys in it. */
export interface BackupVersionDeleted {
  readonly version: string;
}

/** The key of a session as a client backs it up: client-server API, `KeyBackupData`. What it is is known to the user alone. */
export interface BackedUpSession {
  readonly first_message_index: number;
  readonly forwarded_count: number;
  readonly is_verified: boolean;
  readonly session_data: JsonObject | string;
}

/** Keys by room and session. */
export type BackedUpRooms = ReadonlyMap<RoomId, ReadonlyMap<string, BackedUpSession>>;

/** How many keys there are after a fact, and a number that is another after each change. */
export interface BackupState {
  readonly count: number;
  readonly etag: number;
}

/** In `backup-{user_id}|{version}`: `session-backed-up`: takes the place of what was there of the session. */
export interface SessionBackedUp extends BackedUpSession, BackupState {
  readonly room_id: RoomId;
  readonly session_id: string;
}

/** In `backup-{user_id}|{version}`: `sessions-removed`: by room. */
export interface SessionsRemoved extends BackupState {
  readonly sessions: Readonly<Record<RoomId, readonly string[]>>;
}

/** type -> shape of the data, for the facts in the user's stream. */
interface BackupVersionFacts {
  'backup-version-created': BackupVersionCreated;
  'backup-version-changed': BackupVersionChanged;
  'backup-version-deleted': BackupVersionDeleted;
}
export type BackupVersionFact = {
  [T in keyof BackupVersionFacts]: { readonly type: T; readonly data: BackupVersionFacts[T] };
}[keyof BackupVersionFacts];

/** How old shapes of these facts become today's. */
export const BACKUP_SHAPES = {
  'backup-version-created': [],
  'backup-version-changed': [],
  'backup-version-deleted': [],
  'session-backed-up': [],
  'sessions-removed': [],
} as const satisfies FactShapes;
