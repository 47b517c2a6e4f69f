import type { RoomId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { nestsDeeper } from '#protocol/canonical-json/nests-deeper';
import { MAX_DEPTH, parseJson } from '#protocol/canonical-json/parse-json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { Pdu, RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { type OpenedEvent, openEvent } from '#protocol/signing/open-event';

/** An event of the right form. */
export interface WellFormed {
  readonly event: RoomEvent;
  readonly opened: OpenedEvent;
}

/** NOTSPEC: white space and escapes may make the bytes more than the canonical ones that are limited, but not without end. */
const MAX_RAW_BYTES = 8 * 65_536;
/** A value takes a byte at least, and mostly another. */
const MAX_VALUES = 65_536;

/**
 * Step 1: a valid event of this room and its version, by its bytes or as parsed by `parseJson` in its lenient form. Room
 * versions, "Event format"; client-server API, "Size limits". Throws M_NOT_JSON, M_TOO_LARGE or M_BAD_JSON.
 */
export function checkFormat(input: Uint8Array | string | Pdu, version: RoomVersion, roomId: RoomId): WellFormed {
  const pdu = typeof input === 'string' || input instanceof Uint8Array ? parsePdu(input, version) : input;
  // As a part of something larger it may have been let in deeper than it can be read from the log again.
  if (pdu === input && nestsDeeper(pdu, MAX_DEPTH)) throw new MatrixError('M_BAD_JSON', 'Nested too deeply');
  const opened = openEvent(pdu, version);
  const event = parseRoomEvent(pdu, version, roomId, opened);
  // Possible where senders choose the id. It would wait for itself for ever.
  if (event.prevEvents.includes(event.eventId) || event.authEvents.includes(event.eventId)) {
    throw new MatrixError('M_BAD_JSON', 'The event refers to itself');
  }
  return { event, opened };
}

function parsePdu(input: Uint8Array | string, version: RoomVersion): Pdu {
  if (input.length > MAX_RAW_BYTES) throw new MatrixError('M_TOO_LARGE');
  // Lenient for the numbers in `unsigned`: those in what is signed are checked as it is written anew.
  // NOTSPEC: what nests deeper than `parseJson` bears is dropped. Users here cannot send such (json-text.ts in http).
  const plainIntegers = version.strictCanonicalJson;
  const pdu = parseJson(input, { lenient: true, plainIntegers, maxValues: MAX_VALUES });
  if (!isJsonObject(pdu)) throw new MatrixError('M_BAD_JSON', 'The event is no object');
  return pdu;
}
