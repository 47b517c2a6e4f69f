import { type EventId, isEventId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { findRoomVersion } from '#protocol/room-versions/room-versions';

/** The content of a PDU; empty where it is not an object. */
export function contentOf(pdu: JsonObject): JsonObject {
  return isJsonObject(pdu['content']) ? pdu['content'] : {};
}

/** The depth of a PDU, which anybody may have chosen, capped at 2^53-1. */
export function depthOf(pdu: JsonObject): number {
  return Math.min(Number(pdu['depth']), Number.MAX_SAFE_INTEGER);
}

/** The ids in `prev_events` or `auth_events`, which old room versions write with hashes. */
export function referencedIds(references: unknown): EventId[] {
  return (references as (EventId | [EventId, unknown])[]).map((one) => (typeof one === 'string' ? one : one[0]));
}

/**
 * What a redaction names, where its room version has it: what stands in the other place says nothing, or whoever is shown the event
 * would take another one for redacted. undefined of all else, and where it names nothing that could be an event.
 */
export function redactionTargetOf(pdu: JsonObject, roomVersion: string): EventId | undefined {
  if (pdu['type'] !== 'm.room.redaction') return undefined;
  const isInContent = findRoomVersion(roomVersion)?.redactsInContent === true;
  const target = isInContent ? contentOf(pdu)['redacts'] : pdu['redacts'];
  return typeof target === 'string' && isEventId(target) ? target : undefined;
}
