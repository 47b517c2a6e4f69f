import { redact } from '../redaction/redact.js';
import type { Pdu } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { contentHash } from './content-hash.js';
import { signJson, verifyJson, verifyJsonAside } from './sign-json.js';
import type { SigningKey, VerifyKey } from './signing-key.js';

/**
 * The event with its content hash and a signature over its redacted form: server-server specification, "Adding hashes and
 * signatures to outgoing events". Signatures already there stay. Throws M_BAD_JSON for what this room version's canonical
 * JSON cannot hold. `sealEvent` does the same and keeps the text and the event id.
 */
export function hashAndSignEvent(pdu: Pdu, version: RoomVersion, serverName: string, key: SigningKey): Pdu {
  return signEvent({ ...pdu, hashes: { sha256: contentHash(pdu, version) } }, version, serverName, key);
}

/** An event that has its content hash, with one more signature: for an event another server made and asks us to sign. */
export function signEvent(pdu: Pdu, version: RoomVersion, serverName: string, key: SigningKey): Pdu {
  return { ...pdu, signatures: signJson(redact(pdu, version), serverName, key)['signatures'] };
}

/**
 * Whether an event carries a signature of this server, with this key id, that holds under this key; true for a redacted
 * copy too: server-server specification, "Validating hashes and signatures on received events".
 */
export function verifyEventSignature(
  pdu: Pdu,
  version: RoomVersion,
  serverName: string,
  keyId: string,
  key: VerifyKey,
): boolean {
  return verifyJson(redact(pdu, version), serverName, keyId, key);
}

/** The same, for whoever has many to check (`VerifyKey`). */
export function verifyEventSignatureAside(
  pdu: Pdu,
  version: RoomVersion,
  serverName: string,
  keyId: string,
  key: VerifyKey,
): Promise<boolean> {
  return verifyJsonAside(redact(pdu, version), serverName, keyId, key);
}
