import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** JSON text that stands in an object as it is: numbers that no parser here keeps, or nesting that no serializer does. */
export class Raw {
  constructor(readonly text: string) {}
}

export type Json = Readonly<Record<string, unknown>>;

/** An event that another server made, with its id. */
export interface ForeignEvent {
  readonly id: string;
  readonly pdu: Json;
}

/** Canonical JSON: appendices of the specification. Keys are ASCII here. */
export function canonical(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  const sorted = entries.toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${sorted.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(',')}}`;
}

/** A key of another server, which signs whatever it is given. */
export class ForeignKey {
  readonly #private: KeyObject;
  /** Base64 without padding, as everywhere. */
  readonly publicKey: string;

  constructor(readonly id = 'ed25519:f') {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.#private = privateKey;
    // The last 32 bytes of this form are the key itself.
    this.publicKey = base64(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
  }

  signatureOf(object: Json): string {
    const text = canonical({ ...object, signatures: undefined, unsigned: undefined });
    return base64(sign(null, Buffer.from(text), this.#private));
  }

  sign(object: Json, server: string): Json {
    return { ...object, signatures: { [server]: { [this.id]: this.signatureOf(object) } } };
  }

  /** A signature of an event of version 10 of rooms: of what remains of it when it is redacted. */
  signatureOfEvent(event: Json): string {
    return this.signatureOf(redacted(event));
  }

  /** An event with its hash, signed as one of version 10 of rooms. */
  seal(event: Json, server: string): ForeignEvent {
    const hashes = { sha256: hashOf(event, 'base64') };
    const signatures = { [server]: { [this.id]: this.signatureOfEvent({ ...event, hashes }) } };
    const pdu = { ...event, hashes, signatures };
    return { id: idOf(pdu), pdu };
  }
}

/** The id of an event of version 4 to 11 of rooms: the hash of what remains of it when it is redacted. */
export function idOf(pdu: Json): string {
  return `$${hashOf(redacted(pdu), 'base64url')}`;
}

function hashOf(object: Json, encoding: 'base64' | 'base64url'): string {
  const text = canonical({ ...object, signatures: undefined, unsigned: undefined });
  return createHash('sha256').update(text).digest(encoding).replace(/=+$/, '');
}

const KEPT =
  'event_id type room_id sender state_key content hashes signatures depth prev_events prev_state auth_events origin origin_server_ts membership';
const KEPT_OF_CONTENT: Readonly<Record<string, readonly string[]>> = {
  'm.room.member': ['membership', 'join_authorised_via_users_server'],
  'm.room.create': ['creator'],
  'm.room.join_rules': ['join_rule', 'allow'],
  'm.room.history_visibility': ['history_visibility'],
  'm.room.power_levels': 'ban events events_default kick redact state_default users users_default'.split(' '),
};

function redacted(event: Json): Json {
  const kept = Object.entries(event).filter(([key]) => KEPT.split(' ').includes(key));
  const type = String(event['type']);
  const ofContent = Object.hasOwn(KEPT_OF_CONTENT, type) ? KEPT_OF_CONTENT[type]! : [];
  const content = Object.entries(event['content'] ?? {}).filter(([key]) => ofContent.includes(key));
  return { ...Object.fromEntries(kept), content: Object.fromEntries(content) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
