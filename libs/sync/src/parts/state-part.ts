import type { EventId, UserId } from '#kernel/ids';
import { isAfter, type Place, type Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { filterRows } from '#rooms/queries/event-filter';
import { findStateRowsAt, isSoAt, listStateChanges, listStateRowsAt } from '#rooms/queries/past-state';
import { listStateRedactions } from '#rooms/queries/redacted-state';
import { stateKeyOfRow } from '#rooms/queries/state-rows';
import { findRowsById } from '#rooms/reading/event-rows';
import type { RoomContext } from './room-context.js';
import { targetsOf, type TimelineWindow } from './timeline-window.js';

/** The state events of a room that the answer has beside the timeline: of those that the filter lets through, the ones to be kept. */
export async function readStatePart(
  views: Views,
  room: RoomContext,
  window: TimelineWindow,
  heroes: readonly UserId[],
  keeps: (row: TimelineRow) => boolean = () => true,
): Promise<readonly TimelineRow[]> {
  const { filter, members: known } = room.sync;
  const members = filter.lazyLoadMembers ? membersToLoad(room, window, heroes) : undefined;
  if (room.isNew || room.sync.fullState) known.tellAnew(room.roomId);
  const rows = new Map<string, TimelineRow>();
  const base = room.isFull ? readFullState(views, room, window, members) : readDelta(views, room, window);
  for (const row of await base) rows.set(stateKeyOfRow(row), row);
  if (window.isResolved) await tellResolved(views, room, window, rows);
  for (const row of besideTheTimeline(room, window, members)) rows.set(stateKeyOfRow(row), row);
  await tellRedacted(views, room, window, rows);
  if (!room.sync.stateAfter) await forgetHiddenPast(views, room, window, rows);
  tellOwnEnd(room, window, rows);
  if (members !== undefined && !room.isFull) await addMembers(views, room, window, members, rows);
  const told = (await filterRows(filter.state, room.reader, [...rows.values()])).filter(keeps);
  if (members !== undefined) known.note(room.roomId, [...told, ...window.shown]);
  return told;
}

/**
 * Tells again what redactions took from that the timeline does not show, as they are hidden or in its gap: the client has it as it was, and
 * nothing else says so.
 */
async function tellRedacted(
  views: Views,
  room: RoomContext,
  window: TimelineWindow,
  rows: Map<string, TimelineRow>,
): Promise<void> {
  const { roomId, after, isFull } = room;
  if (isFull || after === undefined) return;
  const redactions = await untoldRedactions(views, room, after, window);
  if (redactions.length === 0) return;
  const ids = new Set<EventId | undefined>(redactions.map(({ header }) => header.eventId));
  for (const row of await findRowsById(views, roomId, [...targetsOf(redactions)] as EventId[])) {
    // Of several redactions the first counts: with it the client was told.
    if (row?.header.stateKey === undefined || !ids.has(row.header.redactedBy) || rows.has(stateKeyOfRow(row))) continue;
    // What came since is told as what is left of it. When an event of the past was fetched says nothing of that.
    const isNews = row.header.isHistory !== true && row.header.position > after;
    if (!isNews && (await isSoAtEnd(views, room, row))) rows.set(stateKeyOfRow(row), row);
  }
}

async function untoldRedactions(
  views: Views,
  { roomId, upTo }: RoomContext,
  after: Position,
  { shown, redactions, limited }: TimelineWindow,
): Promise<readonly TimelineRow[]> {
  if (!limited) return redactions;
  const told = new Set(shown.map(({ header }) => header.eventId));
  const since = await listStateRedactions(views, roomId, after, upTo);
  return since.filter(({ header }) => !told.has(header.eventId));
}

/**
 * Takes out what nobody told the reader while it was so. A timeline may begin with state that is told only because it is in force: what
 * was beside it is of a past that they may not see, and what was replaced before the first event that they do see they never knew.
 */
async function forgetHiddenPast(
  views: Views,
  room: RoomContext,
  { shown, hidden, isResolved }: TimelineWindow,
  rows: Map<string, TimelineRow>,
): Promise<void> {
  const [first] = shown;
  const reader = await room.reader.over(shown);
  const seen = shown.find(({ header }) => reader.maySee(header));
  if (first === undefined || first === seen) return;
  const since = [...shown, ...hidden].filter(({ header }) => header.position >= first.header.position);
  const told = new Set(since.map(({ header }) => header.eventId));
  const past = since.flatMap((row) => {
    const { stateKey, position, isAside } = row.header;
    if (stateKey === undefined || (seen !== undefined && position >= seen.header.position)) return [];
    const held = rows.get(stateKeyOfRow(row));
    // Where the room forked an event may have replaced nothing, or what is in force again.
    const isSure = !isResolved && isAside !== true;
    return held === undefined || told.has(held.header.eventId) ? [] : [{ held, isSure }];
  });
  const isKnown = async (held: TimelineRow): Promise<boolean> => {
    if (await isSoAtEnd(views, room, held)) return true;
    return seen !== undefined && isSoAt(views, room.roomId, held, { before: seen.header.position });
  };
  for (const { held, isSure } of past) if (isSure || !(await isKnown(held))) rows.delete(stateKeyOfRow(held));
}

/**
 * Where the state section stands: just before the timeline or, with `use_state_after` and where there is no timeline to be
 * before of, at its end.
 */
function statePosition(room: RoomContext, { shown }: TimelineWindow): Place {
  const [first] = shown;
  return room.sync.stateAfter || first === undefined || first.header.position > room.upTo
    ? stateEnd(room)
    : { before: first.header.position };
}

/** The last place whose state is told. */
function stateEnd({ upTo, end }: RoomContext): Place {
  return end?.place ?? upTo;
}

/** Whether a state event says what is so where the answer ends. */
export async function isSoAtEnd(views: Views, room: RoomContext, row: TimelineRow): Promise<boolean> {
  const { roomId, end, reader } = room;
  const { eventId, position } = row.header;
  // Behind the end of a stay is what became of its user; what put them out may have changed more.
  if (isAfter(position, stateEnd(room))) return reader.isOwnMembership(row.header);
  if (end?.own !== undefined && reader.isOwnMembership(row.header))
    return end.own.some(({ header }) => header.eventId === eventId);
  return isSoAt(views, roomId, row, stateEnd(room));
}

/** Who has left is told their own end, where what came with it is not for them. */
function tellOwnEnd(
  { end, reader, sync }: RoomContext,
  { shown }: TimelineWindow,
  rows: Map<string, TimelineRow>,
): void {
  if (end?.own === undefined) return;
  rows.delete(stateKeyOf('m.room.member', reader.reader.userId));
  const told = new Set(sync.stateAfter ? [] : shown.map(({ header }) => header.eventId));
  for (const row of end.own) if (!told.has(row.header.eventId)) rows.set(stateKeyOfRow(row), row);
}

function readFullState(
  views: Views,
  room: RoomContext,
  window: TimelineWindow,
  members: readonly UserId[] | undefined,
): Promise<TimelineRow[]> {
  return listStateRowsAt(views, room.roomId, statePosition(room, window), members);
}

/** What changed between where the client was and where the timeline begins. */
async function readDelta(views: Views, room: RoomContext, window: TimelineWindow): Promise<readonly TimelineRow[]> {
  if (!window.limited || room.after === undefined) return [];
  return (await listStateChanges(views, room.roomId, room.after, statePosition(room, window))).rows;
}

/**
 * Tells what the state has become where it changed otherwise than by the events that the timeline shows: an end of the room won over
 * another, or what another server told of a gap. Without `use_state_after` a client takes what the timeline has for the last word.
 */
async function tellResolved(
  views: Views,
  room: RoomContext,
  window: TimelineWindow,
  rows: Map<string, TimelineRow>,
): Promise<void> {
  const start = statePosition(room, window);
  // What became of it up to the start is told already where all or a gap is told.
  const from = room.isFull || window.limited ? start : (room.after ?? start);
  const changes = await listStateChanges(views, room.roomId, from, stateEnd(room));
  const shown = new Set(room.sync.stateAfter ? [] : window.shown.map(({ header }) => header.eventId));
  for (const row of changes.rows) if (!shown.has(row.header.eventId)) rows.set(stateKeyOfRow(row), row);
  for (const key of changes.gone) rows.delete(key);
}

/**
 * State events among those that were looked at: the hidden ones, whose changes the timeline does not tell (unless it shows a
 * later event of the same key); with `use_state_after` all of them. In all of the state of a room whose members are loaded
 * lazily, no more members than that.
 */
function besideTheTimeline(
  room: RoomContext,
  { shown, hidden, isResolved }: TimelineWindow,
  members: readonly UserId[] | undefined,
): readonly TimelineRow[] {
  const wanted = room.isFull && members !== undefined ? new Set<string>(members) : undefined;
  // The state at the end has them already, or what is newer than they are, or what won over them.
  const isThere = ({ header }: TimelineRow): boolean =>
    (isResolved || (room.isFull && room.sync.stateAfter !== undefined)) && header.position <= room.upTo;
  const untold = hidden.filter(
    (row) => !isThere(row) && (row.header.membership === undefined || wanted?.has(row.header.stateKey!) !== false),
  );
  const told = shown.filter((row) => row.header.stateKey !== undefined && !isThere(row));
  if (room.sync.stateAfter)
    return [...told, ...untold].sort((a, b) => (a.header.position < b.header.position ? -1 : 1));
  const start = shown[0]?.header.position;
  if (untold.length === 0 || start === undefined) return untold;
  const last = new Map(told.map((row) => [stateKeyOfRow(row), row]));
  return untold.filter((row) => {
    const later = last.get(stateKeyOfRow(row));
    return row.header.position < start || later === undefined || later.header.position < row.header.position;
  });
}

/** The members that a client who loads them lazily needs now: "membership events for the sender of events". */
function membersToLoad(room: RoomContext, { shown }: TimelineWindow, heroes: readonly UserId[]): UserId[] {
  const users = new Set(shown.map(({ header }) => header.sender));
  for (const hero of heroes) users.add(hero);
  if (room.isFull) users.add(room.sync.requester.userId);
  // Who was here before may have what the timeline says is over, and with `use_state_after` takes it from the state alone.
  if (room.sync.stateAfter)
    for (const { header } of shown) if (header.membership !== undefined) users.add(header.stateKey as UserId);
  return [...users];
}

/** Adds the members who are needed and whom the device does not know from before. */
async function addMembers(
  views: Views,
  room: RoomContext,
  window: TimelineWindow,
  members: readonly UserId[],
  rows: Map<string, TimelineRow>,
): Promise<void> {
  const { filter, members: known } = room.sync;
  const keys = members.map((userId) => ['m.room.member', userId] as const);
  const missing = keys.filter((key) => !rows.has(stateKeyOf(...key)));
  if (missing.length === 0) return;
  // Where the room forked, what was so before the timeline may not be any more without an event of it.
  const place = window.isResolved ? stateEnd(room) : statePosition(room, window);
  for (const row of await findStateRowsAt(views, room.roomId, missing, place)) {
    if (row === undefined) continue;
    if (filter.includeRedundantMembers || !known.isKnown(room.roomId, row)) rows.set(stateKeyOfRow(row), row);
  }
}
