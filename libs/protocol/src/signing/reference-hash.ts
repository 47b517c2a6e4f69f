import { hash } from 'node:crypto';
import { type EventId, isEventId, serverNameOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { canonicalJson } from '../canonical-json/canonical-json.js';
import { redact } from '../redaction/redact.js';
import type { Pdu } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { sha256Base64 } from './base64.js';

/**
 * The SHA-256 of the redacted event without `signatures` and `unsigned`: server-server specification, "Calculating the
 * reference hash for an event". Throws M_BAD_JSON for what this room version's canonical JSON cannot hold.
 */
export function referenceHash(pdu: Pdu, version: RoomVersion): Buffer {
  return hash('sha256', essentialOf(pdu, version), 'buffer');
}

/** The canonical JSON of what the reference hash is of. */
function essentialOf(pdu: Pdu, version: RoomVersion): string {
  const hashed: JsonObject = { ...redact(pdu, version), signatures: undefined };
  return canonicalJson(hashed, { lenient: !version.strictCanonicalJson });
}

/**
 * The id of an event: the one it carries in room versions 1 and 2, made of its reference hash in all later ones. Throws
 * M_BAD_JSON where there is none.
 */
export function eventIdOf(pdu: Pdu, version: RoomVersion): EventId {
  if (version.eventIds !== 'opaque') return eventIdOfEssential(essentialOf(pdu, version), version);
  const id = pdu['event_id'];
  if (typeof id === 'string' && isEventId(id)) return id;
  throw new MatrixError('M_BAD_JSON', 'The event has no valid event_id');
}

/** The event id of a room version that makes ids of hashes, by the text that the reference hash is of. */
export function eventIdOfEssential(essential: string, version: RoomVersion): EventId {
  const isUrlSafe = version.eventIds === 'hash-base64url';
  const text = isUrlSafe ? hash('sha256', essential, 'base64url') : sha256Base64(essential);
  return `$${text}` as EventId; // a sigil and 43 characters of base64: an event id by construction
}

const HASH_ID = /^\$[\w+/-]{43}$/;

/** Whether an event of this room version can have the id at all. */
export function canBeEventId(eventId: EventId, { eventIds }: RoomVersion): boolean {
  return eventIds === 'opaque' ? serverNameOf(eventId) !== undefined : HASH_ID.test(eventId);
}
