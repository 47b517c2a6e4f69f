import { isJsonObject } from '#kernel/json';
import { canonicalJson, canonicalKeys, canonicalString } from '../canonical-json/canonical-json.js';
import type { EventId } from '#kernel/ids';
import type { Pdu } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { decodeBase64, encodeBase64, sha256Base64 } from './base64.js';
import { eventIdOf, eventIdOfEssential } from './reference-hash.js';
import { essentialText } from './seal-event.js';

/** What the bytes of an event that somebody else sealed say of it. */
export interface OpenedEvent {
  readonly eventId: EventId;
  /** The canonical JSON of all of it, `unsigned` too. */
  readonly json: string;
  /** What its signatures are over. */
  readonly essential: string;
  /** Whether `hashes.sha256` is the hash of the event as it is: false for a redacted copy. */
  readonly hasContentHash: boolean;
}

/**
 * The counterpart of `sealEvent`: `canonicalJson`, `eventIdOf`, `hasContentHash` and the text that is signed in one. Throws
 * M_BAD_JSON for what this room version's canonical JSON cannot hold (in `unsigned`, which anyone may add to, all numbers
 * pass), and without `event_id` where the room version wants one.
 *
 * PERF: each key is serialised once; bench/seal-event.ts holds it against the plain composition.
 */
export function openEvent(pdu: Pdu, version: RoomVersion): OpenedEvent {
  const options = { lenient: !version.strictCanonicalJson };
  const keys = canonicalKeys(pdu);
  const parts: string[] = [];
  let hashed = '';
  for (const name of keys) {
    const isUnsigned = name === 'unsigned';
    const part = `${canonicalString(name)}:${canonicalJson(pdu[name]!, isUnsigned ? { lenient: true } : options)}`;
    parts.push(part);
    if (!isUnsigned && name !== 'hashes' && name !== 'signatures') hashed += hashed === '' ? part : `,${part}`;
  }
  const essential = essentialText(pdu, keys, parts, version);
  const eventId = version.eventIds === 'opaque' ? eventIdOf(pdu, version) : eventIdOfEssential(essential, version);
  return { eventId, json: `{${parts.join()}}`, essential, hasContentHash: isHashOf(`{${hashed}}`, pdu) };
}

function isHashOf(text: string, { hashes }: Pdu): boolean {
  const given = isJsonObject(hashes) ? hashes['sha256'] : undefined;
  const bytes = typeof given === 'string' ? decodeBase64(given) : undefined;
  return bytes !== undefined && encodeBase64(bytes) === sha256Base64(text);
}
