import { isRoomId, isUserId, type RoomId } from '#kernel/ids';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type { RoomDescription } from '#rooms/queries/describe-room';
import { orderChildren, type SpaceChild, spaceChildOf } from '#rooms/queries/list-space-children';
import type { SpaceElsewhere } from '#rooms/spaces-elsewhere';

/** Of a longer list the first are read. */
const MOST = 1_000;

/**
 * Reads what a server answers to `GET /hierarchy/{roomId}`; undefined where it describes no room. What is not as the specification has it
 * is left out: clients are told the rest.
 */
export function readSpace({ room, children, inaccessible_children: closed }: JsonObject): SpaceElsewhere | undefined {
  const described = describedIn(room);
  if (described === undefined || !isJsonObject(room)) return undefined;
  const states = described.room_type === 'm.space' ? listOf(room['children_state']) : [];
  const rooms = listOf(children).flatMap((one) => describedIn(one) ?? []);
  return {
    described,
    children: orderChildren(states.flatMap(childIn)),
    childrenDescribed: new Map(rooms.map((one) => [one.room_id, one])),
    closed: new Set(listOf(closed).filter(isRoom)),
  };
}

function describedIn(value: JsonValue | undefined): RoomDescription | undefined {
  if (!isJsonObject(value) || !isRoom(value['room_id'])) return undefined;
  // Before it was specified the list had another name (MSC2946).
  const allowed = value['allowed_room_ids'] ?? value['allowed_spaces'];
  return {
    room_id: value['room_id'],
    num_joined_members: integerOf(value['num_joined_members']) ?? 0,
    name: textOf(value['name']),
    topic: textOf(value['topic']),
    avatar_url: textOf(value['avatar_url']),
    canonical_alias: textOf(value['canonical_alias']),
    join_rule: textOf(value['join_rule']),
    room_type: textOf(value['room_type']),
    world_readable: value['world_readable'] === true,
    guest_can_join: value['guest_can_join'] === true,
    allowed_room_ids: allowed === undefined ? undefined : listOf(allowed).filter(isRoom),
    encryption: textOf(value['encryption']),
    room_version: textOf(value['room_version']),
  };
}

/** A stripped state event with its time. */
function childIn(value: JsonValue): SpaceChild[] {
  if (!isJsonObject(value)) return [];
  const { type, state_key: stateKey, sender, content, origin_server_ts: time } = value;
  const sentAt = integerOf(time);
  if (type !== 'm.space.child' || typeof stateKey !== 'string' || !isJsonObject(content)) return [];
  if (typeof sender !== 'string' || !isUserId(sender) || sentAt === undefined) return [];
  const state = { type, state_key: stateKey, sender, content, origin_server_ts: sentAt };
  return spaceChildOf(stateKey, content, sentAt, canonicalJson(state, { lenient: true }));
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]).slice(0, MOST) : [];
}

function isRoom(value: JsonValue | undefined): value is RoomId {
  return typeof value === 'string' && isRoomId(value);
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function integerOf(value: JsonValue | undefined): number | undefined {
  const number = typeof value === 'number' || value instanceof JsonNumber ? Number(value) : undefined;
  return Number.isSafeInteger(number) ? number : undefined;
}
