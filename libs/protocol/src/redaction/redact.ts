import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import type { Pdu } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { DELETED } from '../state-deletion.js';

type Redaction = RoomVersion['redaction'];

interface RedactionRules {
  /** The keys of the event that stay. */
  readonly keys: ReadonlySet<string>;
  /** Event type -> the keys of its content that stay; 'all' keeps the content as it is. A type not listed keeps nothing. */
  readonly content: ReadonlyMap<string, readonly string[] | 'all'>;
  /** Of content.third_party_invite in m.room.member, `signed` stays. */
  readonly thirdPartyInviteSigned: boolean;
}

const KEYS_V11 = [
  'event_id',
  'type',
  'room_id',
  'sender',
  'state_key',
  'content',
  'hashes',
  'signatures',
  'depth',
  'prev_events',
  'auth_events',
  'origin_server_ts',
];
const KEYS_V1 = [...KEYS_V11, 'prev_state', 'origin', 'membership'];

const POWER_LEVELS = ['ban', 'events', 'events_default', 'kick', 'redact', 'state_default', 'users', 'users_default'];
const CONTENT_V6: Record<string, readonly string[] | 'all'> = {
  'm.room.member': ['membership'],
  'm.room.create': ['creator'],
  'm.room.join_rules': ['join_rule'],
  'm.room.power_levels': POWER_LEVELS,
  'm.room.history_visibility': ['history_visibility'],
};
const CONTENT_V8 = { ...CONTENT_V6, 'm.room.join_rules': ['join_rule', 'allow'] };
const CONTENT_V9 = { ...CONTENT_V8, 'm.room.member': ['membership', 'join_authorised_via_users_server'] };
const CONTENT_V11 = {
  ...CONTENT_V9,
  'm.room.create': 'all' as const,
  'm.room.power_levels': [...POWER_LEVELS, 'invite'],
  'm.room.redaction': ['redacts'],
};

function rules(
  keys: readonly string[],
  content: Record<string, readonly string[] | 'all'>,
  thirdPartyInviteSigned = false,
): RedactionRules {
  return { keys: new Set(keys), content: new Map(Object.entries(content)), thirdPartyInviteSigned };
}

/** What stays of an event, by the family of room versions: specification, "Room Versions", "Redactions" of each. */
const RULES: Readonly<Record<Redaction, RedactionRules>> = {
  v1: rules(KEYS_V1, { ...CONTENT_V6, 'm.room.aliases': ['aliases'] }),
  v6: rules(KEYS_V1, CONTENT_V6),
  v8: rules(KEYS_V1, CONTENT_V8),
  v9: rules(KEYS_V1, CONTENT_V9),
  v11: rules(KEYS_V11, CONTENT_V11, true),
};

const NOTHING: JsonObject = Object.freeze({});

/**
 * The event with everything taken out that a redaction in this room version takes out. `hashes` and `signatures` stay,
 * `unsigned` goes. The list of 2015 is that of version 1. Never changes its argument; redacting twice is redacting once.
 */
export function redact(pdu: Pdu, version: RoomVersion): Pdu {
  const { keys } = RULES[version.redaction];
  const redacted: Record<string, JsonValue> = {};
  for (const key of Object.keys(pdu)) {
    const value = pdu[key];
    if (value !== undefined && keys.has(key)) redacted[key] = value;
  }
  redacted['content'] = redactContent(pdu['type'], pdu['content'], version);
  return redacted;
}

/** Whether a top-level key of an event stays through a redaction in this room version. */
export function survivesRedaction(key: string, version: RoomVersion): boolean {
  return RULES[version.redaction].keys.has(key);
}

/**
 * What stays of the content of an event of this type; the same object where all of it stays. Where state can be deleted, so does
 * the mark of a deletion: without it the event would hold the key that it left to nothing, and the state after it be another.
 */
export function redactContent(type: unknown, content: unknown, version: RoomVersion): JsonObject {
  const kept = keepNamed(type, content, version);
  // `true` alone: any other value is no deletion, and could hide from redaction what it likes.
  const isDeletion = version.stateDeletion && isJsonObject(content) && content[DELETED] === true;
  return isDeletion && kept !== content ? { ...kept, [DELETED]: true } : kept;
}

function keepNamed(type: unknown, content: unknown, version: RoomVersion): JsonObject {
  const family = RULES[version.redaction];
  const allowed = typeof type === 'string' ? family.content.get(type) : undefined;
  if (allowed === undefined || !isJsonObject(content)) return NOTHING;
  if (allowed === 'all') return content;
  const redacted: Record<string, JsonValue> = {};
  for (const key of allowed) {
    const value = Object.hasOwn(content, key) ? content[key] : undefined;
    if (value !== undefined) redacted[key] = value;
  }
  const invite = content['third_party_invite'];
  if (family.thirdPartyInviteSigned && type === 'm.room.member' && isJsonObject(invite)) {
    const signed = invite['signed'];
    // Without `signed` the key itself stays, empty: what other servers hash, so what the event id is made of.
    redacted['third_party_invite'] = signed === undefined ? NOTHING : { signed };
  }
  return redacted;
}
