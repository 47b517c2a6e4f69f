import type { EventId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';

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

/** What a redaction names, wherever its room version has it; undefined of all else, and where it names nothing that could be an event. */
export function redactionTargetOf(pdu: JsonObject): string | undefined {
  if (pdu['type'] !== 'm.room.redaction') return undefined;
  const target = pdu['redacts'] ?? contentOf(pdu)['redacts'];
  return typeof target === 'string' ? target : undefined;
}
