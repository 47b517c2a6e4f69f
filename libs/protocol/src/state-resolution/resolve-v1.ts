import { hash } from 'node:crypto';
import type { EventId } from '#kernel/ids';
import { findAuthRefusal } from '../event-auth/authorize-event.js';
import { atOnce } from '#kernel/steps';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import type { StateTrie } from '../state-trie/state-trie.js';
import { type EventsById, findUsable } from './events-by-id.js';
import { KeyedMap } from './keyed-map.js';
import { type Conflict, eventIdsOf, type SplitStates } from './split-conflicted.js';

/** The types whose conflicts are resolved first, each upon the result of those before. */
const AUTH_TYPES = ['m.room.power_levels', 'm.room.join_rules', 'm.room.member'];

/**
 * The first state resolution algorithm: room version 1, "State resolution".
 *
 * A key that some states do not have is no conflict here. NOTSPEC: where the text is silent we do as all servers in use: keys
 * are resolved one by one, those of one type upon the same state, and if no event of a key passes, the last one is taken.
 */
export function resolveV1(
  { unconflicted, conflicts }: SplitStates,
  version: RoomVersion,
  events: EventsById,
): StateTrie {
  let resolved = atOnce(unconflicted.with(new KeyedMap()));
  const open: OpenConflict[] = [];
  for (const conflict of conflicts) {
    const [first, ...others] = usableEventsOf(conflict, events);
    if (first === undefined) continue;
    if (others.length > 0) open.push({ type: conflict.type, list: [first, ...others].sort(compareByDepth) });
    else resolved = put(resolved, first);
  }
  for (const type of AUTH_TYPES) {
    const before = resolved;
    for (const { list } of open.filter((conflict) => conflict.type === type)) {
      resolved = put(resolved, lastAllowed(list, before, version, events));
    }
  }
  const before = resolved;
  for (const { list } of open.filter((conflict) => !AUTH_TYPES.includes(conflict.type))) {
    resolved = put(resolved, bestAllowed(list, before, version, events));
  }
  return resolved;
}

interface OpenConflict {
  readonly type: string;
  /** By ascending depth, then descending SHA-1 of the event id. */
  readonly list: readonly RoomEvent[];
}

function usableEventsOf(conflict: Conflict, events: EventsById): RoomEvent[] {
  return eventIdsOf(conflict)
    .map((eventId) => findUsable(events, eventId))
    .filter((event) => event !== undefined);
}

function compareByDepth(a: RoomEvent, b: RoomEvent): number {
  if (a.depth !== b.depth) return a.depth - b.depth;
  return sha1(a.eventId) < sha1(b.eventId) ? 1 : -1;
}

function sha1(eventId: EventId): string {
  return hash('sha1', eventId, 'hex');
}

/** Follows the list as long as each event is allowed upon the one before it. */
function lastAllowed(
  list: readonly RoomEvent[],
  state: StateTrie,
  version: RoomVersion,
  events: EventsById,
): RoomEvent {
  let last = list[0] as RoomEvent;
  for (const event of list.slice(1)) {
    if (!isAllowed(event, put(state, last), version, events)) return last;
    last = event;
  }
  return last;
}

/** The highest event that is allowed, or the lowest of all. */
function bestAllowed(
  list: readonly RoomEvent[],
  state: StateTrie,
  version: RoomVersion,
  events: EventsById,
): RoomEvent {
  return list.findLast((event) => isAllowed(event, state, version, events)) ?? (list[0] as RoomEvent);
}

function isAllowed(event: RoomEvent, state: StateTrie, version: RoomVersion, events: EventsById): boolean {
  const get = (type: string, stateKey: string) => {
    const eventId = state.get(type, stateKey);
    return eventId === undefined ? undefined : events.get(eventId);
  };
  return findAuthRefusal(event, version, { createEvent: get('m.room.create', ''), get }) === undefined;
}

function put(state: StateTrie, { type, stateKey, eventId }: RoomEvent): StateTrie {
  return stateKey === undefined ? state : state.set(type, stateKey, eventId);
}
