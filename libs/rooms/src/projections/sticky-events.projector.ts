import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asNumber, Collection, type Entry, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { stickinessOf } from '#protocol/stickiness';
import type { AcceptedFact, RedactedFact, RoomFactReader } from './room-fact-reader.js';

/** An event that was sticky when it came. */
export interface StickyRow {
  readonly event: EventId;
  readonly sender: UserId;
  /** In milliseconds since the epoch. */
  readonly until: number;
}

export type StickyKey = readonly [roomId: RoomId, position: Position];

/**
 * In the order in which they came. What is over stays until the next one of its room comes: readers look whether it is (`until`). What was
 * redacted is not there.
 */
export const STICKY_EVENTS = new Collection<StickyKey, StickyRow>('sticky-events', {
  key: ['room', 'position'],
  says: 'an event that is sticky, its sender, until when',
  codec: asJson(),
});

/** The rooms that have any, so that of all others no more is read than this. */
export const STICKY_ROOMS = new Collection<readonly [roomId: RoomId], number>('sticky-rooms', {
  key: ['room'],
  says: 'until when the last of its sticky events is sticky',
  codec: asNumber,
});

/**
 * So many of a user count in a room, and so many of all: beyond that the oldest are events like any others. "Care needs to be taken to
 * ensure that other room participants cannot send large volumes of sticky events", which all clients are told.
 */
export const MOST_OF_USER = 100;
export const MOST_OF_ROOM = 1_000;

/** Which events are sticky: MSC4354. They are noted whether or not anybody is told of it, which is a setting. */
export function stickyEventsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'sticky-events',
    version: 1,
    ...owning(STICKY_EVENTS, STICKY_ROOMS),
    handles: (type) => type === 'pdu-accepted' || type === 'pdu-redacted',
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return applyRedaction(reader.redacted(fact), rows);
      // PERF: of what is not sticky nothing is read.
      const accepted = reader.findSticky(fact);
      return accepted === undefined ? undefined : applySticky(accepted, fact, rows);
    },
  };
}

async function applySticky(
  { roomId, data }: AcceptedFact,
  { position, metadata }: RecordedFact,
  rows: OwnRows,
): Promise<void> {
  const until = stickinessOf(data.pdu, metadata.at)?.until ?? 0;
  if (until <= metadata.at || data.redacted_by !== undefined) return;
  const row = { event: data.event_id, sender: data.pdu['sender'] as UserId, until };
  const all = await readRoom(roomId, rows);
  // A fact that is applied again finds those that came after it.
  const before = all.filter(({ key }) => key[1] < position);
  const unexpired = before.filter(({ value }) => value.until > metadata.at);
  const own = unexpired.filter(({ value }) => value.sender === row.sender);
  const tooMany = new Set(own.slice(0, Math.max(0, own.length + 1 - MOST_OF_USER)));
  const kept = new Set(unexpired.filter((other) => !tooMany.has(other)).slice(1 - MOST_OF_ROOM));
  const gone = new Set(before.filter((other) => !kept.has(other)));
  for (const { key } of gone) STICKY_EVENTS.delete(rows, key);
  STICKY_EVENTS.put(rows, [roomId, position], row);
  const left = all.filter((other) => !gone.has(other));
  STICKY_ROOMS.put(rows, [roomId], Math.max(until, ...left.map(({ value }) => value.until)));
}

async function applyRedaction({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  if (!(await STICKY_ROOMS.has(rows, [roomId]))) return;
  const all = await readRoom(roomId, rows);
  const left = all.filter(({ value }) => value.event !== data.event_id);
  if (left.length === all.length) return;
  for (const { key, value } of all) if (value.event === data.event_id) STICKY_EVENTS.delete(rows, key);
  if (left.length === 0) STICKY_ROOMS.delete(rows, [roomId]);
  else STICKY_ROOMS.put(rows, [roomId], Math.max(...left.map(({ value }) => value.until)));
}

/** All of a room, of which there are `MOST_OF_ROOM` at most. */
async function readRoom(roomId: RoomId, rows: OwnRows): Promise<Entry<StickyKey, StickyRow>[]> {
  const found: Entry<StickyKey, StickyRow>[] = [];
  await STICKY_EVENTS.forEach(rows, { prefix: [roomId] }, (entry) => void found.push(entry));
  return found;
}
