import type { EventId, RoomId } from '#kernel/ids';
import type { Place } from '#kernel/position';
import type { Entry } from '#projections/collection';
import type { Views } from '#projections/views';
import { boundUpTo } from '#read-models/place-bounds';
import { eventKeyPart, type EventPlace } from '../projections/event-place.js';
import { parseRow, type TimelineRow } from '../projections/timeline-row.js';
import { collectionOf, EVENTS, rowKeyOf, TIMELINE, type TopologyKey } from '../projections/timeline-collections.js';

/** What is needed of a place to read the event that stands at it. */
export type RowPlace = Pick<EventPlace, 'position' | 'isHistory' | 'carriedAs'>;

/** Where some events of a room stand, in the order of the ids; undefined for those that the room does not have. */
export async function findPlaces(
  views: Pick<Views, 'getMany'>,
  roomId: RoomId,
  ids: readonly EventId[],
): Promise<(EventPlace | undefined)[]> {
  if (ids.length === 0) return [];
  return EVENTS.getMany(
    views,
    ids.map((id) => [eventKeyPart(id), roomId]),
  );
}

/** The rows of the events of a room at some places, in the order of the places; undefined for what does not stand there. */
export async function readRowsAt(
  views: Pick<Views, 'getMany'>,
  roomId: RoomId,
  places: readonly (RowPlace | undefined)[],
): Promise<(TimelineRow | undefined)[]> {
  const rows: (TimelineRow | undefined)[] = Array.from({ length: places.length });
  for (const isHistory of [false, true]) {
    const wanted = [...places.keys()].filter((i) => places[i]?.isHistory === isHistory);
    if (wanted.length === 0) continue;
    const keys = wanted.map((i) => rowKeyOf(roomId, places[i]!));
    const texts = await collectionOf({ isHistory }).getMany(views, keys);
    for (const [n, i] of wanted.entries()) {
      const text = texts[n];
      if (text !== undefined) rows[i] = parseRow(text);
    }
  }
  return rows;
}

/** The place that a row of the graph's order tells. */
export function placeOfTopology({ key, value: isHistory }: Entry<TopologyKey, boolean>): RowPlace {
  return { position: key[2], isHistory };
}

/** The rows of some events of a room by their ids, in the order of the ids; undefined for those that the room does not have. */
export async function findRowsById(
  views: Pick<Views, 'getMany'>,
  roomId: RoomId,
  ids: readonly EventId[],
): Promise<(TimelineRow | undefined)[]> {
  return readRowsAt(views, roomId, await findPlaces(views, roomId, ids));
}

/** One event of a room; undefined where the room has no such event, also where another room has it. */
export async function findRowInRoom(views: Views, roomId: RoomId, eventId: EventId): Promise<TimelineRow | undefined> {
  const [row] = await findRowsById(views, roomId, [eventId]);
  return row;
}

/** The last event of a room, of those that were news, up to a place of the log; undefined where there was none yet. */
export async function findLastRow(
  views: Pick<Views, 'scan'>,
  roomId: RoomId,
  place: Place,
): Promise<TimelineRow | undefined> {
  const range = { prefix: [roomId], ...boundUpTo([roomId], place) } as const;
  const [last] = await TIMELINE.scan(views, { ...range, reverse: true, limit: 1 });
  return last && parseRow(last.value);
}

/** The rooms that have an event of this id: in rooms of versions 1 and 2 a server gives its events what ids it likes. */
export async function listRoomsOfEvent(views: Pick<Views, 'scan'>, eventId: EventId): Promise<RoomId[]> {
  const rows = await EVENTS.scan(views, { prefix: [eventKeyPart(eventId)], limit: MAX_ROOMS });
  return rows.map(({ key }) => key[1]);
}

const MAX_ROOMS = 10;
