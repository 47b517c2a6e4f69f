import { hash } from 'node:crypto';
import { isEventId, type EventId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { canonicalJson } from '../canonical-json/canonical-json.js';
import { redact } from '../redaction/redact.js';
import type { Pdu } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { encodeBase64 } from './base64.js';

/**
 * The SHA-256 of the redacted event without `signatures` and `unsigned`: server-server specification, "Calculating the
 * reference hash for an event". Throws M_BAD_JSON for what this room version's canonical JSON cannot hold.
 */
export function referenceHash(pdu: Pdu, version: RoomVersion): Buffer {
  const hashed: JsonObject = { ...redact(pdu, version), signatures: undefined };
  return hash('sha256', canonicalJson(hashed, { lenient: !version.strictCanonicalJson }), 'buffer');
}

/**
 * The id of an event: the one it carries in room versions 1 and 2, made of its reference hash in all later ones. Throws
 * M_BAD_JSON where there is none.
 */
export function eventIdOf(pdu: Pdu, version: RoomVersion): EventId {
  if (version.eventIds !== 'opaque') return eventIdOfHash(referenceHash(pdu, version), version);
  const id = pdu['event_id'];
  if (typeof id === 'string' && isEventId(id)) return id;
  throw new MatrixError('M_BAD_JSON', 'The event has no valid event_id');
}

/** A reference hash as the event id of a room version that makes ids of hashes. */
export function eventIdOfHash(bytes: Buffer, version: RoomVersion): EventId {
  const text = version.eventIds === 'hash-base64url' ? bytes.toString('base64url') : encodeBase64(bytes);
  return `$${text}` as EventId; // a sigil and 43 characters of base64: an event id by construction
}
