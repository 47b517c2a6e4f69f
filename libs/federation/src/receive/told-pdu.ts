import { type EventId, isEventId } from '#kernel/ids';
import { isJsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { eventIdOf } from '#protocol/signing/reference-hash';

/** An event as it came, by the text that was kept of it; what nests too deeply is refused by who judges it. */
export function readPdu(text: string): Pdu {
  return parseJson(text, { lenient: true, maxDepth: Infinity }) as Pdu; // written from an object
}

/** As `readPdu`, for bytes of another server; undefined where they are no object, or go beyond the bounds of `parseJson`, or these. */
export function parsePdu(
  bytes: Uint8Array,
  bounds: { readonly maxDepth?: number; readonly maxValues?: number } = {},
): Pdu | undefined {
  try {
    const pdu = parseJson(bytes, { lenient: true, ...bounds });
    return isJsonObject(pdu) ? pdu : undefined;
  } catch (error) {
    if (error instanceof MatrixError) return undefined;
    throw error;
  }
}

/** How deep in the graph an event is, as its server says; 0 where that is no depth. */
export function depthOf({ depth }: Pdu): number {
  return typeof depth === 'number' && Number.isSafeInteger(depth) && depth > 0 ? depth : 0;
}

/** The events that its `prev_events` or `auth_events` name, which old room versions write with hashes. What is no id is left out. */
export function namedIds(references: JsonValue | undefined): EventId[] {
  if (!Array.isArray(references)) return [];
  return (references as readonly JsonValue[])
    .map((one) => (Array.isArray(one) ? (one as readonly JsonValue[])[0] : one))
    .filter((id) => typeof id === 'string' && isEventId(id));
}

/** The id of an event that another server told; undefined where it has none. */
export function idOf(pdu: Pdu, version: RoomVersion): EventId | undefined {
  try {
    return eventIdOf(pdu, version);
  } catch (error) {
    if (error instanceof MatrixError) return undefined;
    throw error;
  }
}
