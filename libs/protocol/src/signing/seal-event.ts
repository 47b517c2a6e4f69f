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

/**
 * Hashes, signs and names an event of our own: `hashAndSignEvent`, `canonicalJson` and `eventIdOf` in one.
 * Throws M_BAD_JSON for what this room version's canonical JSON cannot hold, and without `event_id` where the room version
 * wants one.
 *
 * PERF: each key is serialised once, and the three texts (for the content hash, for signature and reference hash, and the
 * whole) are put together from these parts; bench/seal-event.ts holds it against the plain composition. The signature is made
 * here: to hand it to another core takes this one as long.
 */
export function sealEvent(pdu: Pdu, version: RoomVersion, serverName: string, key: SigningKey): SealedEvent {
  const options = { lenient: !version.strictCanonicalJson };
  // PERF: an object that is spread and then gets another key takes V8 ten times as long.
  const sealed: Record<string, JsonValue | undefined> = Object.assign({}, pdu, { hashes: null, signatures: null });
  const keys = canonicalKeys(sealed);
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
  const signatures = addSignature(pdu['signatures'], serverName, key.keyId, encodeBase64(key.sign(essential)));
  parts[keys.indexOf('signatures')] = `"signatures":${canonicalJson(signatures, options)}`;
  sealed['hashes'] = hashes;
  sealed['signatures'] = signatures;
  return { pdu: sealed, json: `{${parts.join()}}`, eventId };
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
