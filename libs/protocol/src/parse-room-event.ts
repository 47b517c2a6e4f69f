import { isEventId, isRoomId, isUserId, serverNameOf, type EventId, type RoomId } from '#kernel/ids';
import { isJsonObject, JsonNumber, type JsonArray, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { canonicalJson } from './canonical-json/canonical-json.js';
import type { Pdu, RoomEvent } from './room-event.js';
import type { RoomVersion } from './room-versions/room-version.js';
import { eventIdOf } from './signing/reference-hash.js';

const MAX_EVENT_BYTES = 65_536;
const MAX_KEY_BYTES = 255;
export const MAX_PREV_EVENTS = 20;
const MAX_AUTH_EVENTS = 10;
/** `depth` may go to 2^63-1 where canonical JSON is not enforced; the nearest double is 2^63. */
const MAX_LENIENT_DEPTH = 2 ** 63;

/** What is already known of an event that was just sealed, so that it is neither serialised nor hashed again. */
export interface KnownOfEvent {
  readonly eventId: EventId;
  /** The canonical JSON of the whole PDU. */
  readonly json: string;
}

/**
 * A PDU in the form the rules work on. Checks the format of its room version (server-server specification, "PDUs"; client-
 * server specification, "Size limits"; each room version's "Event format"), neither hashes nor signatures nor authorisation.
 *
 * `roomId` is the room the event is meant for: an event of another room is refused. Throws M_TOO_LARGE where the event or
 * one of its keys has too many bytes, M_BAD_JSON for everything else.
 */
export function parseRoomEvent(pdu: Pdu, version: RoomVersion, roomId?: RoomId, known?: KnownOfEvent): RoomEvent {
  checkSize(pdu, version, known?.json);
  for (const key of ['hashes', 'signatures']) checkThat(isJsonObject(pdu[key]), key);
  checkThat(pdu['unsigned'] === undefined || isJsonObject(pdu['unsigned']), 'unsigned');
  const sender = getText(pdu, 'sender');
  checkThat(isUserId(sender), 'sender');
  const content = pdu['content'];
  checkThat(isJsonObject(content), 'content');
  const type = getText(pdu, 'type');
  const eventId = known?.eventId ?? eventIdOf(pdu, version);
  // The domain of an opaque id is asked for its signature, so there must be one.
  checkThat(version.eventIds !== 'opaque' || serverNameOf(eventId) !== undefined, 'event_id');
  return Object.freeze({
    eventId,
    roomId: getRoomId(pdu, type, eventId, version, roomId),
    type,
    sender,
    stateKey: pdu['state_key'] === undefined ? undefined : getText(pdu, 'state_key'),
    content,
    originServerTs: getInteger(pdu, 'origin_server_ts'),
    depth: getDepth(pdu, version),
    prevEvents: getReferences(pdu, 'prev_events', MAX_PREV_EVENTS, version),
    authEvents: getReferences(pdu, 'auth_events', MAX_AUTH_EVENTS, version),
    redacts: type === 'm.room.redaction' ? findRedacted(version.redactsInContent ? content : pdu) : undefined,
    pdu,
  });
}

function checkThat(holds: boolean, key: string): asserts holds {
  if (!holds) throw new MatrixError('M_BAD_JSON', `The event's ${key} is missing or not of the expected form`);
}

/** Also the check that the event is canonical JSON, where the room version enforces it. */
function checkSize(pdu: Pdu, version: RoomVersion, knownJson: string | undefined): void {
  let bytes: number;
  if (knownJson === undefined) {
    // `unsigned` is not part of what was signed: anyone may have added to it, so its numbers are nobody's fault.
    const { unsigned, ...signed } = pdu;
    bytes = Buffer.byteLength(canonicalJson(signed, { lenient: !version.strictCanonicalJson }));
    if (unsigned !== undefined) bytes += Buffer.byteLength(canonicalJson({ unsigned }, { lenient: true })) - 1;
  } else {
    // A UTF-16 unit has at most three bytes: most events are too short to need counting.
    bytes = knownJson.length * 3 <= MAX_EVENT_BYTES ? knownJson.length : Buffer.byteLength(knownJson);
  }
  if (bytes > MAX_EVENT_BYTES) throw new MatrixError('M_TOO_LARGE', `The event has more than ${MAX_EVENT_BYTES} bytes`);
}

function getText(pdu: Pdu, key: string): string {
  const text = pdu[key];
  checkThat(typeof text === 'string', key);
  if (text.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(text) > MAX_KEY_BYTES) {
    throw new MatrixError('M_TOO_LARGE', `The event's ${key} has more than ${MAX_KEY_BYTES} bytes`);
  }
  return text;
}

function getInteger(pdu: Pdu, key: string): number {
  const value = pdu[key];
  const number = value instanceof JsonNumber && /^-?\d+$/.test(value.text) ? value.valueOf() : value;
  checkThat(typeof number === 'number' && Number.isInteger(number), key);
  return number;
}

function getDepth(pdu: Pdu, version: RoomVersion): number {
  const depth = getInteger(pdu, 'depth');
  checkThat(
    depth >= 0 && depth <= (version.strictCanonicalJson ? Number.MAX_SAFE_INTEGER : MAX_LENIENT_DEPTH),
    'depth',
  );
  return depth;
}

function getRoomId(
  pdu: Pdu,
  type: string,
  eventId: EventId,
  version: RoomVersion,
  expected: RoomId | undefined,
): RoomId {
  // A create event that carries a room_id nevertheless is for the authorisation rules to reject.
  const named =
    version.roomIdIsCreateHash && type === 'm.room.create' ? `!${eventId.slice(1)}` : getText(pdu, 'room_id');
  checkThat(isRoomId(named), 'room_id');
  if (expected !== undefined && named !== expected) {
    throw new MatrixError('M_BAD_JSON', 'The event belongs to another room');
  }
  return named;
}

function getReferences(pdu: Pdu, key: string, most: number, version: RoomVersion): readonly EventId[] {
  const list = pdu[key];
  checkThat(Array.isArray(list) && list.length <= most, key);
  return (list as JsonArray).map((item) => {
    const id = version.references === 'pairs' ? firstOfPair(item) : item;
    checkThat(typeof id === 'string' && isEventId(id), key);
    return id;
  });
}

/** The event id of a pair of event id and hashes. */
function firstOfPair(item: JsonValue): JsonValue | undefined {
  if (!Array.isArray(item)) return undefined;
  const pair = item as JsonArray;
  return pair.length === 2 && isJsonObject(pair[1]) ? pair[0] : undefined;
}

function findRedacted(holder: JsonObject): EventId | undefined {
  const { redacts } = holder;
  return typeof redacts === 'string' && isEventId(redacts) ? redacts : undefined;
}
