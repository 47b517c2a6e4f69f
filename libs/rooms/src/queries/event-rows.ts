import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { parseRow, type TimelineRow } from '../projections/timeline-row.js';
import type { EventPlace } from '../projections/timeline.projector.js';

/** An event and where it stands. */
export interface PlacedRow {
  readonly roomId: RoomId;
  readonly row: TimelineRow;
}

/** The rows of some events by their ids, in the order of the ids; undefined for those that are not here. */
export async function findRowsById(views: Views, ids: readonly EventId[]): Promise<(PlacedRow | undefined)[]> {
  const places = await views.getMany(
    'events',
    ids.map((id) => [id]),
  );
  const known = places.map((text) => (text === undefined ? undefined : (JSON.parse(text) as EventPlace)));
  const rows = await views.getMany(
    'timeline',
    known.flatMap((place) => (place === undefined ? [] : [[place[0], place[1]]])),
  );
  let next = 0;
  return known.map((place) => {
    const text = place === undefined ? undefined : rows[next++];
    return place === undefined || text === undefined ? undefined : { roomId: place[0], row: parseRow(text) };
  });
}

/** One event of a room; undefined where the room has no such event, also where another room has it. */
export async function findRowInRoom(views: Views, roomId: RoomId, eventId: EventId): Promise<TimelineRow | undefined> {
  const [found] = await findRowsById(views, [eventId]);
  return found?.roomId === roomId ? found.row : undefined;
}
