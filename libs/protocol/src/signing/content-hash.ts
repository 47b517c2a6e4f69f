import { isJsonObject, type JsonObject } from '#kernel/json';
import { canonicalJson } from '../canonical-json/canonical-json.js';
import type { Pdu } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { decodeBase64, encodeBase64, sha256Base64 } from './base64.js';

/**
 * The SHA-256 of the whole event without `unsigned`, `signatures` and `hashes`, as unpadded base64: server-server
 * specification, "Calculating the content hash for an event". Throws M_BAD_JSON for what this room version's canonical
 * JSON cannot hold.
 */
export function contentHash(pdu: Pdu, version: RoomVersion): string {
  const hashed: JsonObject = { ...pdu, unsigned: undefined, signatures: undefined, hashes: undefined };
  return sha256Base64(canonicalJson(hashed, { lenient: !version.strictCanonicalJson }));
}

/**
 * Whether `hashes.sha256` of an event is the hash of the event as it is. False for an event that someone redacted on its
 * way: the receiver then goes on with the redacted form (server-server specification, "Validating hashes and signatures on
 * received events").
 */
export function hasContentHash(pdu: Pdu, version: RoomVersion): boolean {
  const given = isJsonObject(pdu['hashes']) ? pdu['hashes']['sha256'] : undefined;
  const bytes = typeof given === 'string' ? decodeBase64(given) : undefined;
  return bytes !== undefined && encodeBase64(bytes) === contentHash(pdu, version);
}
