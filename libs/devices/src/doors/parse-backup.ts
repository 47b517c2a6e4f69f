import { parseRoomId, type RoomId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { BackedUpRooms, BackedUpSession } from '../facts/backup-facts.js';

const MOST_BYTES = 65_536;
const MOST_NAME_BYTES = 255;
/** What a text is escaped for in keys of rows: no session has such an id. */
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f]/;

/** `{"rooms": …}`. Throws M_MISSING_PARAM, M_BAD_JSON, M_INVALID_PARAM, M_TOO_LARGE. */
export function parseRooms({ rooms }: JsonObject): BackedUpRooms {
  const parsed = new Map<RoomId, ReadonlyMap<string, BackedUpSession>>();
  for (const [roomId, sessions] of Object.entries(parseObject('rooms', rooms))) {
    parsed.set(parseRoomId(roomId), parseSessions(parseObject(`rooms.${roomId}`, sessions)));
  }
  return parsed;
}

/** `{"sessions": …}`. Throws as `parseRooms`. */
export function parseSessions({ sessions }: JsonObject): ReadonlyMap<string, BackedUpSession> {
  const parsed = new Map<string, BackedUpSession>();
  for (const [sessionId, key] of Object.entries(parseObject('sessions', sessions))) {
    parsed.set(parseSessionId(sessionId), parseSession(parseObject(`sessions.${sessionId}`, key)));
  }
  return parsed;
}

/** What is backed up of one session. Throws as `parseRooms`. */
export function parseSession(key: JsonObject): BackedUpSession {
  const { is_verified: isVerified } = key;
  if (isVerified === undefined) throw new MatrixError('M_MISSING_PARAM', 'is_verified: required');
  if (typeof isVerified !== 'boolean') throw new MatrixError('M_BAD_JSON', 'is_verified: must be a boolean');
  const session = {
    first_message_index: parseCount(key, 'first_message_index'),
    forwarded_count: parseCount(key, 'forwarded_count'),
    is_verified: isVerified,
    session_data: parseData(key['session_data']),
  };
  if (Buffer.byteLength(JSON.stringify(session)) > MOST_BYTES) {
    throw new MatrixError('M_TOO_LARGE', `A key may have ${MOST_BYTES} bytes at most`);
  }
  return session;
}

/** The id of a session. Throws M_INVALID_PARAM. */
export function parseSessionId(sessionId: string): string {
  if (sessionId !== '' && Buffer.byteLength(sessionId) <= MOST_NAME_BYTES && !CONTROLS.test(sessionId))
    return sessionId;
  throw new MatrixError('M_INVALID_PARAM', `Not a session ID: ${sessionId.slice(0, 80)}`);
}

function parseObject(name: string, value: JsonValue | undefined): JsonObject {
  if (value === undefined) throw new MatrixError('M_MISSING_PARAM', `${name}: required`);
  if (!isJsonObject(value)) throw new MatrixError('M_BAD_JSON', `${name}: must be an object`);
  return value;
}

/** NOTSPEC: text, too, as servers in use take it: what it means is the client's business. */
function parseData(value: JsonValue | undefined): JsonObject | string {
  return typeof value === 'string' ? value : parseObject('session_data', value);
}

function parseCount(key: JsonObject, name: string): number {
  const value = key[name];
  if (value === undefined) throw new MatrixError('M_MISSING_PARAM', `${name}: required`);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new MatrixError('M_BAD_JSON', `${name}: must be an integer from 0 on`);
}
