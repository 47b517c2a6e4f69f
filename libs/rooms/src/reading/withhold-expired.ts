import { type Clock, systemClock } from '#kernel/clock';
import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { type AgeingEvent, agesFrom, expiryOf, isAsOldAs, SHORTEST_LIFETIME_MS } from '../decide/retention.js';
import type { RowHeader, TimelineRow } from '../projections/timeline-row.js';
import { findVersion, redactedCopy } from './redacted-copy.js';
import { findLifetime } from './room-lifetime.js';
import type { RoomReader } from './room-reader.js';

/**
 * By which clock it is decided what is served as if it were erased for its age, wherever that is asked. The system's: what one that is ahead withholds is whole again once it
 * is right; by a `HeldClock`, what is over would be shown again for a day after a server was off for long. Only what erases goes by that one (`ExpiredEvents`).
 */
export const SERVED_BY: Clock = systemClock;

/** A room, and how long its messages are kept. */
type KeepingRoom = Pick<RoomReader, 'views' | 'roomId' | 'lifetime'>;

/**
 * The same events, without their content those that are older than their room keeps messages (`findLifetime`). NOTSPEC: by MSC1763 a server is to
 * omit them. What is omitted here is what they say, and not that they were: so what is served of an event is the same before and after it is erased, what
 * stands on them or names them (threads, receipts, pages) stays right, and a client that asks again for what it was told once learns that it is
 * gone. To nobody they are whole, not to their senders either. PERF: no read where all are fresh, and then one for each reader of a room.
 */
export async function withholdExpired(
  room: KeepingRoom,
  rows: readonly TimelineRow[],
  now = SERVED_BY.now(),
): Promise<readonly TimelineRow[]> {
  if (!rows.some(({ header }) => isOver(header, SHORTEST_LIFETIME_MS, now))) return rows;
  const lifetime = await room.lifetime();
  if (lifetime === undefined || !rows.some(({ header }) => isOver(header, lifetime, now))) return rows;
  const version = await findVersion(room);
  return rows.map((row) => {
    if (!isOver(row.header, lifetime, now)) return row;
    const { header, content } = redactedCopy(row, version);
    return { header: { ...header, redactedBy: expiryOf(header.eventId) as EventId }, content };
  });
}

/** As `withholdExpired`, of one event, for who is told of rooms as nobody of their members: an application service. */
export async function withoutExpired(
  views: Views,
  roomId: RoomId,
  row: TimelineRow,
  now: number,
): Promise<TimelineRow> {
  const room = { views, roomId, lifetime: () => findLifetime(views, roomId) };
  const [kept = row] = await withholdExpired(room, [row], now);
  return kept;
}

/** When an event is over, by the clock, that its room keeps for so many milliseconds; as long as nobody has asked for how long (undefined) no sooner than that. */
export function overFrom(event: AgeingEvent, lifetime: number | undefined): number {
  return agesFrom(event) + (lifetime ?? SHORTEST_LIFETIME_MS);
}

/** Whether an event is older than messages are kept, and was not taken away yet. */
export function isOver(header: RowHeader, lifetime: number, now: number): boolean {
  return header.redactedBy === undefined && isAsOldAs(header, lifetime, now);
}
