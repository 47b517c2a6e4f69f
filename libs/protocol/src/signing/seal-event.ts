import type { EventId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { canonicalJson, canonicalKeys, canonicalString } from '../canonical-json/canonical-json.js';
import { redactContent, survivesRedaction } from '../redaction/redact.js';
import type { Pdu } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { encodeBase64, sha256Base64 } from './base64.js';
import { eventIdOf, eventIdOfEssential } from './reference-hash.js';
import { addSignature } from './sign-json.js';
import type { SigningKey } from './signing-key.js';

/** An event ready to be stored and sent. */
export interface SealedEvent {
  readonly pdu: Pdu;
  /** The canonical JSON of `pdu`: its bytes for the log, clients and servers. */
  readonly json: string;
  readonly eventId: EventId;
}

/** An event of our own, all but signed: its id, which needs no signature, is known. */
export interface UnsignedEvent {
  /** Its `signatures` are filled in once they are made. */
  readonly pdu: Pdu;
  readonly eventId: EventId;
  /** The canonical JSON of `pdu` with something as long in the place of the signature: to measure it by. */
  readonly json: string;
  /** Signs it, on another core than this code runs on: the canonical JSON of the whole. */
  sign(): Promise<string>;
}

/**
 * Hashes, signs and names an event of our own: `hashAndSignEvent`, `canonicalJson` and `eventIdOf` in one.
 * Throws M_BAD_JSON for what this room version's canonical JSON cannot hold, and without `event_id` where the room version
 * wants one.
 */
export function sealEvent(pdu: Pdu, version: RoomVersion, serverName: string, key: SigningKey): SealedEvent {
  const drawnUp = drawUpEvent(pdu, version, serverName, key);
  const json = drawnUp.withSignature(key.sign(drawnUp.essential));
  return { pdu: drawnUp.pdu, json, eventId: drawnUp.eventId };
}

/** As `sealEvent`, for whoever has other work while it is signed. */
export function sealEventAside(pdu: Pdu, version: RoomVersion, serverName: string, key: SigningKey): UnsignedEvent {
  const drawnUp = drawUpEvent(pdu, version, serverName, key);
  return {
    pdu: drawnUp.pdu,
    eventId: drawnUp.eventId,
    json: drawnUp.withSignature(NO_SIGNATURE),
    sign: async () => drawnUp.withSignature(await key.signAside(drawnUp.essential)),
  };
}

interface DrawnUpEvent extends Pick<SealedEvent, 'pdu' | 'eventId'> {
  /** What is signed. */
  readonly essential: string;
  /** Writes the signature into the PDU: its canonical JSON. */
  withSignature(signature: Buffer): string;
}

/** As long as any signature. */
const NO_SIGNATURE = Buffer.alloc(64);

/**
 * PERF: each key is serialised once, and the three texts (for the content hash, for signature and reference hash, and the
 * whole) are put together from these parts; bench/seal-event.ts holds it against the plain composition.
 */
function drawUpEvent(pdu: Pdu, version: RoomVersion, serverName: string, key: SigningKey): DrawnUpEvent {
  const options = { lenient: !version.strictCanonicalJson };
  const keys = canonicalKeys({ ...pdu, hashes: null, signatures: null });
  const parts: string[] = [];
  let hashed = '';
  for (const name of keys) {
    if (name === 'hashes' || name === 'signatures') {
      parts.push('');
      continue;
    }
    const part = `${canonicalString(name)}:${canonicalJson(pdu[name]!, options)}`;
    parts.push(part);
    if (name !== 'unsigned') hashed += hashed === '' ? part : `,${part}`;
  }
  const hashes = { sha256: sha256Base64(`{${hashed}}`) };
  parts[keys.indexOf('hashes')] = `"hashes":${canonicalJson(hashes)}`;

  // The same text is signed and, as the reference hash, makes the event id.
  const essential = essentialText(pdu, keys, parts, version);
  const eventId = version.eventIds === 'opaque' ? eventIdOf(pdu, version) : eventIdOfEssential(essential, version);
  const sealed: Record<string, JsonValue> = { ...pdu, hashes };
  const withSignature = (signature: Buffer): string => {
    const signatures = addSignature(pdu['signatures'], serverName, key.keyId, encodeBase64(signature));
    sealed['signatures'] = signatures;
    parts[keys.indexOf('signatures')] = `"signatures":${canonicalJson(signatures, options)}`;
    return `{${parts.join()}}`;
  };
  return { pdu: sealed, eventId, essential, withSignature };
}

/**
 * The canonical JSON of the redacted event without `signatures` and `unsigned`: what is signed, and what makes the event id.
 * From the parts of the whole: the keys in order, and `key:value` of each.
 */
export function essentialText(
  pdu: JsonObject,
  keys: readonly string[],
  parts: readonly string[],
  version: RoomVersion,
): string {
  let text = '';
  for (let i = 0; i < keys.length; i++) {
    const name = keys[i]!;
    if (name === 'signatures' || !survivesRedaction(name, version)) continue;
    const part = name === 'content' ? essentialContent(pdu, parts[i]!, version) : parts[i]!;
    text += text === '' ? part : `,${part}`;
  }
  return `{${text}}`;
}

function essentialContent(pdu: JsonObject, part: string, version: RoomVersion): string {
  const content = redactContent(pdu['type'], pdu['content'], version);
  return content === pdu['content']
    ? part
    : `"content":${canonicalJson(content, { lenient: !version.strictCanonicalJson })}`;
}
