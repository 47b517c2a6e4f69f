import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asNumber, Collection, type Entry, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { stickinessOf } from '#protocol/stickiness';
import type { SoftFailureLifted } from '../facts/lifted-facts.js';
import { type PduSoftFailed, roomIdOfStream } from '../facts/room-facts.js';
import { timelineRowOf } from './make-row.js';
import { purgeByRoom } from './purged-rows.js';
import { mayBeSticky, type RoomFactReader } from './room-fact-reader.js';

/** An event that was sticky when it came. */
export interface StickyRow {
  readonly event: EventId;
  readonly sender: UserId;
  /** In milliseconds since the epoch. */
  readonly until: number;
  /** How many characters its row in the timeline has. */
  readonly size: number;
  /** The event as a row of a timeline (see timeline-row.ts), where it is nowhere else: it was soft-failed. */
  readonly row?: string;
}

export type StickyKey = readonly [roomId: RoomId, position: Position];

/**
 * In the order in which they came, or were let in after all. What is over stays until the next one of its room comes: readers look whether
 * it is (`until`). What was redacted is not there.
 */
export const STICKY_EVENTS = new Collection<StickyKey, StickyRow>('sticky-events', {
  key: ['room', 'position'],
  says: 'an event that is sticky, its sender, until when',
  codec: asJson(),
});

/** As that, of those that the room's state did not allow when they came. Nobody is told of them. */
export const STICKY_REFUSED = new Collection<StickyKey, StickyRow>('sticky-refused', {
  key: ['room', 'position'],
  says: 'as `sticky-events`, of a soft-failed one, with its row',
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
/** So many characters of a room: what is told in one answer is bounded, however large its events are. */
export const MOST_CHARACTERS = 4_000_000;
/** Of those that are refused less is kept, which whoever was banned may send: each is kept whole, and read with the next one and each redaction of the room. */
export const MOST_REFUSED_OF_USER = 10;
const MOST_REFUSED_OF_ROOM = 100;
const MOST_REFUSED_CHARACTERS = 400_000;

const HANDLED: ReadonlySet<string> = new Set([
  'pdu-accepted',
  'pdu-soft-failed',
  'soft-failure-lifted',
  'pdu-redacted',
  'room-purged',
]);

/** Which events are sticky: MSC4354. They are noted whether or not anybody is told of it, which is a setting. */
export function stickyEventsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'sticky-events',
    version: 4,
    ...owning(STICKY_EVENTS, STICKY_REFUSED, STICKY_ROOMS),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [STICKY_EVENTS, STICKY_REFUSED, STICKY_ROOMS]);
      if (fact.type === 'pdu-redacted') return applyRedaction(reader.redacted(fact), rows);
      if (fact.type === 'soft-failure-lifted') return applyLifted(fact, rows);
      // PERF: of what is not sticky nothing is read.
      if (fact.type === 'pdu-soft-failed') return mayBeSticky(fact) ? applyRefused(reader, fact, rows) : undefined;
      const accepted = reader.findSticky(fact);
      if (accepted === undefined || accepted.data.redacted_by !== undefined) return undefined;
      return applySticky(stickyRowOf(accepted.data, accepted.row, fact), fact, rows);
    },
  };
}

function stickyRowOf(
  { event_id: event, pdu }: Pick<PduSoftFailed, 'event_id' | 'pdu'>,
  row: string,
  { metadata }: Pick<RecordedFact, 'metadata'>,
): StickyRow {
  const until = stickinessOf(pdu, metadata.at)?.until ?? 0;
  return { event, sender: pdu['sender'] as UserId, until, size: row.length };
}

async function applySticky(row: StickyRow, fact: RecordedFact, rows: OwnRows): Promise<void> {
  if (row.until <= fact.metadata.at) return;
  const roomId = roomIdOfStream(fact.stream);
  const limits = { ofUser: MOST_OF_USER, ofRoom: MOST_OF_ROOM, characters: MOST_CHARACTERS };
  const left = await keep(STICKY_EVENTS, row, fact, { rows, ...limits });
  STICKY_ROOMS.put(rows, [roomId], Math.max(row.until, ...left.map(({ value }) => value.until)));
}

async function applyRefused(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { data, lenient } = reader.softFailed(fact);
  const { event_id, pdu, room_version, visibility } = data;
  const { position, metadata } = fact;
  const row = timelineRowOf({ event_id, position, receivedAt: metadata.at, visibility, room_version, pdu, lenient });
  const sticky = stickyRowOf(data, row, fact);
  if (data.unwanted === true || sticky.until <= metadata.at) return;
  const [ofUser, ofRoom, characters] = [MOST_REFUSED_OF_USER, MOST_REFUSED_OF_ROOM, MOST_REFUSED_CHARACTERS];
  await keep(STICKY_REFUSED, { ...sticky, row }, fact, { rows, ofUser, ofRoom, characters });
}

async function applyLifted(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { event_id: eventId } = JSON.parse(fact.data) as SoftFailureLifted; // written by the room's worker
  const roomId = roomIdOfStream(fact.stream);
  const refused = (await readRoom(STICKY_REFUSED, roomId, rows)).find(({ value }) => value.event === eventId);
  if (refused === undefined) return;
  STICKY_REFUSED.delete(rows, refused.key);
  await applySticky(refused.value, fact, rows);
}

interface Limits {
  readonly rows: OwnRows;
  readonly ofUser: number;
  readonly ofRoom: number;
  readonly characters: number;
}

/** Puts a row where its fact stands, and takes away what is over by then, and what is too much. Answers the others that are left. */
async function keep(
  collection: typeof STICKY_EVENTS,
  row: StickyRow,
  { stream, position, metadata }: RecordedFact,
  { rows, ofUser, ofRoom, characters }: Limits,
): Promise<readonly Entry<StickyKey, StickyRow>[]> {
  const roomId = roomIdOfStream(stream);
  const all = await readRoom(collection, roomId, rows);
  // A fact that is applied again finds those that came after it.
  const before = all.filter(({ key }) => key[1] < position);
  const unexpired = before.filter(({ value }) => value.until > metadata.at);
  const own = unexpired.filter(({ value }) => value.sender === row.sender);
  const tooMany = new Set(own.slice(0, Math.max(0, own.length + 1 - ofUser)));
  const kept = new Set(
    newestThatFit(
      unexpired.filter((other) => !tooMany.has(other)),
      ofRoom - 1,
      characters - row.size,
    ),
  );
  const gone = new Set(before.filter((other) => !kept.has(other)));
  for (const { key } of gone) collection.delete(rows, key);
  collection.put(rows, [roomId, position], row);
  return all.filter((other) => !gone.has(other));
}

/** The last of some rows, in whose order they are: so many of them, and so many characters, at most. */
function newestThatFit<Row extends { readonly value: StickyRow }>(
  rows: readonly Row[],
  most: number,
  characters: number,
): readonly Row[] {
  let first = rows.length;
  let left = characters;
  while (first > 0 && rows.length - first < most && rows[first - 1]!.value.size <= left)
    left -= rows[--first]!.value.size;
  return rows.slice(first);
}

async function applyRedaction(
  { roomId, data }: { readonly roomId: RoomId; readonly data: { readonly event_id: EventId } },
  rows: OwnRows,
): Promise<void> {
  const isOf = ({ value }: Entry<StickyKey, StickyRow>): boolean => value.event === data.event_id;
  for (const { key } of (await readRoom(STICKY_REFUSED, roomId, rows)).filter(isOf)) STICKY_REFUSED.delete(rows, key);
  if (!(await STICKY_ROOMS.has(rows, [roomId]))) return;
  const all = await readRoom(STICKY_EVENTS, roomId, rows);
  const left = all.filter((entry) => !isOf(entry));
  if (left.length === all.length) return;
  for (const { key } of all.filter(isOf)) STICKY_EVENTS.delete(rows, key);
  if (left.length === 0) STICKY_ROOMS.delete(rows, [roomId]);
  else STICKY_ROOMS.put(rows, [roomId], Math.max(...left.map(({ value }) => value.until)));
}

/** All of a room, of which there are no more than its limits let there be. */
async function readRoom(
  collection: typeof STICKY_EVENTS,
  roomId: RoomId,
  rows: OwnRows,
): Promise<Entry<StickyKey, StickyRow>[]> {
  const found: Entry<StickyKey, StickyRow>[] = [];
  await collection.forEach(rows, { prefix: [roomId] }, (entry) => void found.push(entry));
  return found;
}
