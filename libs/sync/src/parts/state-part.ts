import type { EventId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { previousPosition } from './recent-rows.js';
import type { RoomContext } from './room-context.js';
import { readMembersAt, readStateAt, readStateChanges, readStateEvents, stateKeyOfRow } from './state-history.js';
import type { TimelineWindow } from './timeline-window.js';

/** The state events of a room that the answer has beside the timeline. */
export async function readStatePart(
  views: Views,
  room: RoomContext,
  window: TimelineWindow,
  heroes: readonly UserId[],
): Promise<TimelineRow[]> {
  const { filter, members: known } = room.sync;
  const members = filter.lazyLoadMembers ? membersToLoad(room, window, heroes) : undefined;
  const rows = room.isFull ? await readFullState(views, room, window, members) : await readDelta(views, room, window);
  if (members !== undefined && !room.isFull) await addMembers(views, room, window, members, rows);
  const { matchesAll, matches } = filter.state;
  const told = matchesAll
    ? rows
    : rows.filter(({ header, json }) => matches({ type: header.t, sender: header.s, roomId: room.roomId, json }));
  if (members !== undefined) known.note(room.roomId, [...told, ...window.shown]);
  return told;
}

/**
 * Where the state section stands: just before the timeline or, with `use_state_after` and where there is no timeline to be
 * before of, at its end.
 */
function statePosition({ sync, upTo }: RoomContext, { shown }: TimelineWindow): RoomContext['upTo'] {
  const [first] = shown;
  return sync.stateAfter || first === undefined ? upTo : previousPosition(first.header.p);
}

function readFullState(
  views: Views,
  room: RoomContext,
  window: TimelineWindow,
  members: readonly UserId[] | undefined,
): Promise<TimelineRow[]> {
  return readStateAt(views, room.roomId, statePosition(room, window), members);
}

/** What changed since the client last looked and is not told by the timeline. */
async function readDelta(views: Views, room: RoomContext, window: TimelineWindow): Promise<TimelineRow[]> {
  const rows = new Map<string, TimelineRow>();
  if (window.limited && room.after !== undefined) {
    const changed = new Map<string, EventId>();
    const changes = await readStateChanges(views, room.roomId, room.after, statePosition(room, window));
    for (const change of changes) changed.set(stateKeyOf(change.type, change.state_key), change.event_id);
    for (const row of await readStateEvents(views, [...changed.values()])) rows.set(stateKeyOfRow(row), row);
  }
  for (const row of besideTheTimeline(room, window)) rows.set(stateKeyOfRow(row), row);
  return [...rows.values()];
}

/**
 * State events among those that were looked at: the hidden ones, whose changes the timeline does not tell (unless it shows a
 * later event of the same key); with `use_state_after` all of them.
 */
function besideTheTimeline(room: RoomContext, { shown, hidden }: TimelineWindow): readonly TimelineRow[] {
  if (room.sync.stateAfter) {
    const states = [...shown.filter(({ header }) => header.k !== undefined), ...hidden];
    return states.sort((a, b) => (a.header.p < b.header.p ? -1 : 1));
  }
  const start = shown[0]?.header.p;
  if (hidden.length === 0 || start === undefined) return hidden;
  const last = new Map(shown.filter(({ header }) => header.k !== undefined).map((row) => [stateKeyOfRow(row), row]));
  return hidden.filter((row) => {
    const later = last.get(stateKeyOfRow(row));
    return row.header.p < start || later === undefined || later.header.p < row.header.p;
  });
}

/** The members that a client who loads them lazily needs now: "membership events for the sender of events". */
function membersToLoad(room: RoomContext, { shown }: TimelineWindow, heroes: readonly UserId[]): UserId[] {
  const users = new Set(shown.map(({ header }) => header.s));
  for (const hero of heroes) users.add(hero);
  if (room.isFull) users.add(room.sync.requester.userId);
  return [...users];
}

/** Adds the members who are needed and whom the device does not know from before. */
async function addMembers(
  views: Views,
  room: RoomContext,
  window: TimelineWindow,
  members: readonly UserId[],
  rows: TimelineRow[],
): Promise<void> {
  const { filter, members: known } = room.sync;
  const there = new Set(rows.map(stateKeyOfRow));
  const missing = members.filter((userId) => !there.has(stateKeyOf('m.room.member', userId)));
  if (missing.length === 0) return;
  for (const row of await readMembersAt(views, room.roomId, statePosition(room, window), missing)) {
    if (filter.includeRedundantMembers || !known.isKnown(room.roomId, row)) rows.push(row);
  }
}
