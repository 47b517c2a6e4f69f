import type { EventId, RoomId } from '#kernel/ids';
import type { Place } from '#kernel/position';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { boundAfter } from '#read-models/place-bounds';
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

/** The current state of a room by type and state key; undefined where it has no such key. */
export async function findStateRow(
  views: Views,
  roomId: RoomId,
  type: string,
  stateKey: string,
): Promise<TimelineRow | undefined> {
  const text = await views.get('room-state', [roomId, type, stateKey]);
  return text === undefined ? undefined : parseRow(text);
}

/** All rows of the current state of a room, or of one type in it. */
export async function listStateRows(views: Views, roomId: RoomId, type?: string): Promise<TimelineRow[]> {
  const prefix = type === undefined ? [roomId] : [roomId, type];
  const rows: TimelineRow[] = [];
  for await (const page of scanPages(views, 'room-state', { prefix })) {
    for (const { value } of page) rows.push(parseRow(value));
  }
  return rows;
}

/**
 * The state of a room at a place: the current state with every later change undone, newest first. Costs what has
 * changed since.
 */
export async function listStateRowsAt(views: Views, roomId: RoomId, place: Place): Promise<TimelineRow[]> {
  const current = new Map((await listStateRows(views, roomId)).map((row) => [keyOf(row), row]));
  const undone = new Map<string, EventId | undefined>();
  const since = { prefix: [roomId], ...boundAfter([roomId], place), reverse: true };
  for await (const page of scanPages(views, 'state-log', since)) {
    for (const { value } of page) {
      for (const change of JSON.parse(value) as { type: string; state_key: string; replaces?: EventId }[]) {
        undone.set(stateKeyOf(change.type, change.state_key), change.replaces);
      }
    }
  }
  const replaced = [...undone].filter((entry): entry is [string, EventId] => entry[1] !== undefined);
  const rows = await findRowsById(
    views,
    replaced.map(([, eventId]) => eventId),
  );
  for (const key of undone.keys()) current.delete(key);
  replaced.forEach(([key], i) => {
    const found = rows[i];
    if (found !== undefined) current.set(key, found.row);
  });
  return [...current.values()];
}

function keyOf({ header }: TimelineRow): string {
  return stateKeyOf(header.t, header.k ?? '');
}
