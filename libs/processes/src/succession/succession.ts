import type { RecordedFact } from '#event-store/event-store';
import { type EventId, type RoomId, type ServerName, type UserId, isRoomId, isUserId, serverNameOf } from '#kernel/ids';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { heldBefore, type PduAccepted, roomIdOfStream } from '#rooms/facts/room-facts';
import { isOfThePast } from '#rooms/facts/fact-text';

/** A user of this server who is in a room since this fact, as far as the fact alone tells. */
export interface LocalJoin {
  readonly userId: UserId;
  readonly roomId: RoomId;
  /** The member event that held before, if any did. */
  readonly replaces: EventId | undefined;
}

/**
 * The join of a local user in a fact of a room, undefined where it is none.
 * PERF: only facts whose text speaks of a join are parsed.
 */
export function localJoinOf(fact: RecordedFact, serverName: ServerName): LocalJoin | undefined {
  if (fact.type !== 'pdu-accepted' || !fact.data.includes('"membership":"join"')) return undefined;
  if (isOfThePast(fact.data)) return undefined;
  const header = JSON.parse(fact.data) as PduAccepted;
  const { type, state_key: userId, content } = header.pdu;
  if (type !== 'm.room.member' || !isJsonObject(content) || content['membership'] !== 'join') return undefined;
  if (typeof userId !== 'string' || !isUserId(userId) || serverNameOf(userId) !== serverName) return undefined;
  return { userId, roomId: roomIdOfStream(fact.stream), replaces: heldBefore(header) };
}

/** The room that replaces another one by a tombstone in a fact of that; undefined where the fact holds none. */
export function replacementOf({ type, data }: RecordedFact): RoomId | undefined {
  if (type !== 'pdu-accepted' || !data.includes('"m.room.tombstone"') || isOfThePast(data)) return undefined;
  const { pdu } = JSON.parse(data) as Pick<PduAccepted, 'pdu'>;
  if (pdu['type'] !== 'm.room.tombstone' || pdu['state_key'] !== '' || !isJsonObject(pdu['content'])) return undefined;
  const { replacement_room: to } = pdu['content'];
  return typeof to === 'string' && isRoomId(to) ? to : undefined;
}

/** `m.direct` with the new room wherever the old one is; undefined where that changes nothing. */
export function directRoomsWith(direct: JsonObject, from: RoomId, to: RoomId): JsonObject | undefined {
  let changed = false;
  const entries = Object.entries(direct).map(([user, rooms]) => {
    if (!Array.isArray(rooms) || !rooms.includes(from) || rooms.includes(to)) return [user, rooms] as const;
    changed = true;
    return [user, [...(rooms as unknown[]), to]] as const;
  });
  return changed ? (Object.fromEntries(entries) as JsonObject) : undefined;
}
