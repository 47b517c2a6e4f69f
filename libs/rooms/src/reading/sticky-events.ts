import type { EventId, RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { eventKeyPart } from '../projections/event-place.js';
import { STICKY_EVENTS, STICKY_ROOMS, type StickyRow } from '../projections/sticky-events.projector.js';
import { parseRow, type TimelineRow } from '../projections/timeline-row.js';
import { findHiding } from '../projections/visibility-changes.js';
import { findRowsById } from './event-rows.js';
import type { RoomReader } from './room-reader.js';

/** Which sticky events are wanted of a room: those that came in a stretch of the log and still are sticky. */
export interface StickyRange {
  /** Undefined: all that there are. */
  readonly after: Position | undefined;
  readonly upTo: Position;
  /** In milliseconds since the epoch. */
  readonly now: number;
  /** What the reader is told otherwise. */
  readonly told?: ReadonlySet<EventId>;
}

/** A sticky event, and where the log says that it is one. */
export interface StickyEvent {
  readonly position: Position;
  readonly row: TimelineRow;
}

/** Those of some rooms in which anything is sticky. Which of it somebody may read is for `listStickyEvents` to say. */
export async function roomsWithStickyEvents(
  views: Pick<Views, 'getMany'>,
  roomIds: readonly RoomId[],
  now: number,
): Promise<ReadonlySet<RoomId>> {
  const until = await STICKY_ROOMS.getMany(
    views,
    roomIds.map((roomId) => [roomId]),
  );
  return new Set(roomIds.filter((_, i) => (until[i] ?? 0) > now));
}

/**
 * The sticky events of a room that its reader is to have, in the order in which they came: MSC4354. Who is in the room is told of all of
 * them, whatever they may see of its history: "History visibility checks MUST NOT be applied to sticky events. Any joined user is
 * authorised to see sticky events for the duration they remain sticky". Not those of who they ignore. Nobody else is told of any.
 */
export async function listStickyEvents(
  room: RoomReader,
  { after, upTo, now, told }: StickyRange,
): Promise<readonly StickyEvent[]> {
  const { views, roomId } = room;
  // PERF: nearly all rooms have none.
  if (!room.isIn || ((await STICKY_ROOMS.get(views, [roomId])) ?? 0) <= now) return [];
  const found: { readonly position: Position; readonly sticky: StickyRow }[] = [];
  const bound = after === undefined ? {} : { after: [roomId, after] as const };
  await STICKY_EVENTS.forEach(views, { prefix: [roomId], ...bound, to: [roomId, upTo] }, ({ key, value }) => {
    if (value.until > now && told?.has(value.event) !== true) found.push({ position: key[1], sticky: value });
  });
  const rows = await findRowsById(
    views,
    roomId,
    found.map(({ sticky }) => sticky.event),
  );
  const refused = await Promise.all(
    found.map(({ sticky }, i) => (rows[i] === undefined ? findRefused(room, sticky) : undefined)),
  );
  return found.flatMap(({ position }, i) => {
    const row = rows[i] ?? refused[i];
    // What was redacted since says of itself that it is not sticky any more.
    const isWanted = row?.header.sticky !== undefined && row.header.isWaiting !== true && !room.ignores(row.header);
    return isWanted ? [{ position, row }] : [];
  });
}

/** One that was soft-failed is in no timeline, whose rows say by what an event is hidden. */
async function findRefused({ views, roomId }: RoomReader, { event, row }: StickyRow): Promise<TimelineRow | undefined> {
  if (row === undefined) return undefined;
  const { header, content } = parseRow(row);
  return { header: { ...header, hiddenBy: await findHiding(roomId, eventKeyPart(event), views) }, content };
}
