import { isUserId, type RoomId, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';

/** As much of what another server tells of a room is kept, and shown: a room tells ten events or so. */
const MOST_EVENTS = 50;
const MOST_BYTES = 128 * 1024;

/**
 * Reads what another server tells of a room that is not here, of which a user may know: whole events (MSC4311), or what clients are
 * shown of them. Client-server API, "Stripped state". What is neither is left out, and what says who invited the user, or what else they
 * are in the room: that is told by the signed event alone, and somebody else might be named; a whole create event of another room is refused with
 * M_INVALID_PARAM, where the room's version tells (12 and later).
 * NOTSPEC: signatures of these events are not looked at, nor is an invitation to a room of version 12 refused that comes without the whole
 * create event: servers in use send what is left of it.
 */
export function readStrippedState(
  told: readonly JsonValue[],
  room: { readonly roomId: RoomId; readonly version: RoomVersion },
  userId: UserId,
): JsonObject[] {
  const state: JsonObject[] = [];
  let bytes = 0;
  for (const event of told) {
    if (!isJsonObject(event)) continue;
    const { type, state_key: stateKey, sender, content, origin_server_ts: sentAt } = event;
    const isEvent = typeof type === 'string' && typeof stateKey === 'string' && typeof sender === 'string';
    if (!isEvent || !isUserId(sender) || !isJsonObject(content)) continue;
    if (type === 'm.room.member' && stateKey === userId) continue;
    const isCreate = type === 'm.room.create' && stateKey === '';
    if (isCreate) checkIsOfRoom(event, room);
    const stripped = { content, sender, state_key: stateKey, type };
    const shown = isCreate && typeof sentAt === 'number' ? { ...stripped, origin_server_ts: sentAt } : stripped;
    bytes += Buffer.byteLength(JSON.stringify(shown));
    if (state.length === MOST_EVENTS || bytes > MOST_BYTES) break;
    state.push(shown);
  }
  return state;
}

function checkIsOfRoom(
  create: JsonObject,
  { roomId, version }: { readonly roomId: RoomId; readonly version: RoomVersion },
): void {
  const isWhole = isJsonObject(create['hashes']) && create['auth_events'] !== undefined;
  if (!isWhole || !version.roomIdIsCreateHash) return;
  try {
    parseRoomEvent(create, version, roomId);
  } catch (error) {
    if (error instanceof MatrixError) throw new MatrixError('M_INVALID_PARAM', `The create event: ${error.message}`);
    throw error;
  }
}
