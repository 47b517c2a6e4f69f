import type { EventId, RoomId } from '#kernel/ids';
import type { Place, Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { boundUpTo } from '#read-models/place-bounds';
import type { Key } from '#read-models/read-model-store';
import { eventKeyPart, type EventPlace, HISTORY_MARK, parseEventPlace } from '../projections/event-place.js';
import { parseRow, type TimelineRow } from '../projections/timeline-row.js';
import { collectionOf, rowKeyOf } from '../projections/timeline.projector.js';

/** What is needed of a place to read the event that stands at it. */
export type RowPlace = Pick<EventPlace, 'position' | 'isHistory' | 'carriedAs'>;

/** Where some events of a room stand, in the order of the ids; undefined for those that the room does not have. */
export async function findPlaces(
  views: Pick<Views, 'getMany'>,
  roomId: RoomId,
  ids: readonly EventId[],
): Promise<(EventPlace | undefined)[]> {
  if (ids.length === 0) return [];
  const texts = await views.getMany(
    'events',
    ids.map((id) => [eventKeyPart(id), roomId]),
  );
  return texts.map((text) => (text === undefined ? undefined : parseEventPlace(text)));
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
    const keys: Key[] = wanted.map((i) => rowKeyOf(roomId, places[i]!));
    const texts = await views.getMany(collectionOf({ isHistory }), keys);
    for (const [n, i] of wanted.entries()) {
      const text = texts[n];
      if (text !== undefined) rows[i] = parseRow(text);
    }
  }
  return rows;
}

/** The place that a row of `topology` tells. */
export function placeOfTopology({ key, value }: { readonly key: Key; readonly value: string }): RowPlace {
  return { position: key[2] as Position, isHistory: value === HISTORY_MARK };
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
  const range = { prefix: [roomId], ...boundUpTo([roomId], place) };
  const [last] = await views.scan('timeline', { ...range, reverse: true, limit: 1 });
  return last && parseRow(last.value);
}

/** The rooms that have an event of this id: in rooms of versions 1 and 2 a server gives its events what ids it likes. */
export async function listRoomsOfEvent(views: Pick<Views, 'scan'>, eventId: EventId): Promise<RoomId[]> {
  const rows = await views.scan('events', { prefix: [eventKeyPart(eventId)], limit: MAX_ROOMS });
  return rows.map(({ key }) => key[1] as RoomId);
}

const MAX_ROOMS = 10;
