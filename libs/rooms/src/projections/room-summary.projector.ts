import type { EventId, RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { StateKey } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { type HistoryVisibility, historyVisibilityOf, type StateChange } from '../facts/room-facts.js';
import { currentStateOf, deletedStateOf, type RoomFactReader } from './room-fact-reader.js';
import { purgeByRoom } from './purged-rows.js';
import { contentOf } from '../facts/pdu-fields.js';

/** What lists and look-ups need of a room without its state. */
export interface RoomSummary {
  readonly version: string;
  readonly creator: UserId;
  readonly type?: string;
  readonly name?: string;
  readonly topic?: string;
  readonly avatar_url?: string;
  readonly canonical_alias?: string;
  readonly join_rule: string;
  /** The rooms whose members may join a restricted room. */
  readonly allowed_room_ids?: readonly string[];
  readonly history_visibility: HistoryVisibility;
  readonly guest_access: string;
  readonly encryption?: string;
  readonly federate: boolean;
  /** The replacement of an upgraded room; empty where its tombstone names none. */
  readonly tombstone?: string;
  readonly created_ts: number;
  /** The event that each of these types was last read from, so that a redaction can be told from a redaction of an old one. */
  readonly from: Readonly<Record<string, EventId | undefined>>;
}

export const ROOMS = new Collection<readonly [roomId: RoomId], RoomSummary>('rooms', {
  key: ['room'],
  says: 'name, topic, alias and what else lists need',
  codec: asJson(),
});

/** The join rules with conditions, which others may still have and do not mean. */
const RESTRICTED: ReadonlySet<unknown> = new Set(['restricted', 'knock_restricted']);

/** The state event types that matter here, with what each sets. All but m.room.create have an empty state key to count. */
const READ: Readonly<Record<string, (content: JsonObject) => Partial<RoomSummary>>> = {
  'm.room.name': (content) => ({ name: textOf(content['name']) }),
  'm.room.topic': (content) => ({ topic: textOf(content['topic']) }),
  'm.room.avatar': (content) => ({ avatar_url: textOf(content['url']) }),
  'm.room.canonical_alias': (content) => ({ canonical_alias: textOf(content['alias']) }),
  'm.room.join_rules': (content) => ({
    join_rule: textOf(content['join_rule']) ?? 'invite',
    allowed_room_ids: RESTRICTED.has(content['join_rule']) ? allowedRooms(content['allow']) : undefined,
  }),
  'm.room.history_visibility': (content) => ({ history_visibility: historyVisibilityOf(content) }),
  'm.room.guest_access': (content) => ({ guest_access: textOf(content['guest_access']) ?? 'forbidden' }),
  'm.room.encryption': (content) => ({ encryption: textOf(content['algorithm']) }),
  'm.room.tombstone': (content) => ({ tombstone: textOf(content['replacement_room']) ?? '' }),
};

/** Whether a room's row says something of what holds this key. */
export function isSummarised({ type, stateKey }: StateKey): boolean {
  return stateKey === '' && (Object.hasOwn(READ, type) || type === 'm.room.create');
}

const HANDLED: ReadonlySet<string> = new Set(['pdu-accepted', 'state-taken', 'pdu-redacted', 'room-purged']);

/** One row about each room, from its state. */
export function roomSummaryProjector(reader: RoomFactReader): Projector {
  return {
    name: 'room-summary',
    version: 3,
    ...owning(ROOMS),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [ROOMS]);
      if (fact.type === 'pdu-redacted') {
        const { roomId, data } = reader.redacted(fact);
        const type = data.pdu['type'] as string;
        if (!Object.hasOwn(READ, type) || data.pdu['state_key'] !== '') return undefined;
        return applyRedaction(roomId, type, data.event_id, data.pdu, rows);
      }
      const accepted = reader.findStateChange(fact);
      if (accepted === undefined) return undefined;
      const isTold = ({ type, state_key: stateKey }: StateChange): boolean => isSummarised({ type, stateKey });
      const set = currentStateOf(accepted)
        .filter(({ change }) => isTold(change))
        .map(({ change, pdu }) => [change.type, change.event_id, pdu] as const);
      const gone = deletedStateOf(accepted)
        .filter(isTold)
        .map(({ type }) => [type, undefined, {}] as const);
      return set.length + gone.length === 0 ? undefined : applyChanges(accepted.roomId, [...set, ...gone], rows);
    },
  };
}

async function applyChanges(
  roomId: RoomId,
  changes: readonly (readonly [type: string, eventId: EventId | undefined, pdu: JsonObject])[],
  rows: OwnRows,
): Promise<void> {
  let summary = await ROOMS.get(rows, [roomId]);
  for (const [type, eventId, pdu] of changes) {
    if (type === 'm.room.create' && eventId !== undefined) summary ??= created(eventId, pdu);
    else if (summary !== undefined) {
      const set = READ[type]!(contentOf(pdu)); // only types of READ come here
      summary = { ...summary, ...set, from: { ...summary.from, [type]: eventId } };
    }
  }
  if (summary !== undefined) ROOMS.put(rows, [roomId], summary);
}

async function applyRedaction(
  roomId: RoomId,
  type: string,
  eventId: EventId,
  pdu: JsonObject,
  rows: OwnRows,
): Promise<void> {
  const summary = await ROOMS.get(rows, [roomId]);
  if (summary?.from[type] !== eventId) return;
  await applyChanges(roomId, [[type, eventId, pdu]], rows);
}

function created(eventId: EventId, pdu: JsonObject): RoomSummary {
  const content = contentOf(pdu);
  const version = textOf(content['room_version']) ?? '1';
  const named = findRoomVersion(version)?.creatorInContent === true ? textOf(content['creator']) : undefined;
  return {
    version,
    creator: (named ?? pdu['sender']) as UserId,
    type: textOf(content['type']),
    join_rule: 'invite',
    history_visibility: 'shared',
    guest_access: 'forbidden',
    federate: content['m.federate'] !== false,
    created_ts: Number(pdu['origin_server_ts']),
    from: { 'm.room.create': eventId },
  };
}

function allowedRooms(allow: unknown): readonly string[] | undefined {
  if (!Array.isArray(allow)) return undefined;
  // What conditions of other types mean is not known here: they let nobody in.
  const rules = allow.filter(isJsonObject).filter((rule) => rule['type'] === 'm.room_membership');
  const rooms = rules.map((rule) => rule['room_id']);
  return rooms.filter((id): id is string => typeof id === 'string');
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
