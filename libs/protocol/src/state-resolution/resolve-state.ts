import type { EventId } from '#kernel/ids';
import { atOnce, each, type Steps } from '#kernel/steps';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { isStateDeletion } from '../state-deletion.js';
import { StateTrie } from '../state-trie/state-trie.js';
import { findAuthDifference } from './auth-difference.js';
import { findConflictedSubgraph } from './conflicted-subgraph.js';
import { type EventsById, findUsable } from './events-by-id.js';
import { applyAllowed, findInPartial, type PartialState } from './iterative-auth-check.js';
import { KeyedMap } from './keyed-map.js';
import { sortByMainline } from './mainline-sort.js';
import { selectPowerEvents, sortByPower } from './power-sort.js';
import { resolveV1 } from './resolve-v1.js';
import { splitConflicted, type SplitStates } from './split-conflicted.js';

/**
 * The one state that several states of a room come to: room versions, "State resolution", by the algorithm of the version.
 *
 * States are tries, so that what they share is never looked at: the cost is that of their differences and of the auth chains
 * behind those. The order of the states does not matter. No state gives the empty one. Throws an Error where `events`
 * does not know an event that the states differ in; auth chains may have gaps.
 *
 * A key that was deleted is in no state, so whatever another state has there wins. The event that deleted it takes no part.
 */
export function resolveState(states: readonly StateTrie[], version: RoomVersion, events: EventsById): StateTrie {
  const [first, ...others] = [...new Map(states.map((state) => [state.rootHash, state])).values()];
  if (first === undefined) return StateTrie.empty;
  if (others.length === 0) return first;
  return atOnce(resolveSplit(atOnce(splitConflicted([first, ...others])), version, events));
}

/** `resolveState` for states that differ and are split already, in steps. `seenBySome`: where it is known (`findSeenBySome`). */
export function* resolveSplit(
  split: SplitStates,
  version: RoomVersion,
  events: EventsById,
  seenBySome?: ReadonlySet<EventId>,
): Steps<StateTrie> {
  for (const eventId of split.conflicted) {
    if (events.get(eventId) === undefined) throw new Error(`State resolution misses the event ${eventId}`);
  }
  if (version.stateResolution === 'v1') return resolveV1(split, version, events);
  const authDifference = yield* findAuthDifference(split, events, seenBySome);
  yield;
  return yield* resolveV2(split, version, events, authDifference);
}

/** Versions 2 and 2.1: room version 2 and room version 12, "Algorithm". */
function* resolveV2(
  split: SplitStates,
  version: RoomVersion,
  events: EventsById,
  authDifference: ReadonlySet<EventId>,
): Steps<StateTrie> {
  const isV21 = version.stateResolution === 'v2.1';
  const conflicted = yield* collectFullConflicted(split, version, events, authDifference);
  const createEvent = findCreateEvent(conflicted, version, events);
  // 1
  const powerEvents = selectPowerEvents(conflicted);
  yield;
  const sorted = sortByPower(powerEvents, version, events, createEvent);
  yield;
  // 2
  const partial: PartialState = { base: isV21 ? StateTrie.empty : split.unconflicted, applied: new KeyedMap() };
  yield* applyAllowed(sorted, partial, version, events, createEvent);
  // 3
  const others = [...conflicted.values()].filter(({ eventId }) => !powerEvents.has(eventId));
  const powerLevels = findInPartial(partial, 'm.room.power_levels', '', events);
  yield;
  const rest = yield* sortByMainline(others, powerLevels, events);
  // 4
  yield* applyAllowed(rest, partial, version, events, createEvent);
  // 5
  return yield* split.unconflicted.with(partial.applied);
}

/** The full conflicted set. */
function* collectFullConflicted(
  { conflicted }: SplitStates,
  version: RoomVersion,
  events: EventsById,
  authDifference: ReadonlySet<EventId>,
): Steps<Map<EventId, RoomEvent>> {
  const full = new Set(conflicted);
  for (const eventId of authDifference) full.add(eventId);
  if (version.stateResolution === 'v2.1')
    for (const eventId of yield* findConflictedSubgraph(conflicted, events)) full.add(eventId);
  yield;
  const found = new Map<EventId, RoomEvent>();
  yield* each(full, (eventId) => {
    const event = findUsable(events, eventId);
    // Somebody may name a deletion among auth events; nothing may come of it that holds the key.
    if (event?.stateKey !== undefined && !isStateDeletion(event, version)) found.set(eventId, event);
  });
  return found;
}

/** The create event by the room id, where that is its hash; elsewhere it is found in the state and among auth events. */
function findCreateEvent(
  conflicted: ReadonlyMap<EventId, RoomEvent>,
  version: RoomVersion,
  events: EventsById,
): RoomEvent | undefined {
  if (!version.roomIdIsCreateHash) return undefined;
  for (const { roomId } of conflicted.values()) return events.get(`$${roomId.slice(1)}` as EventId);
  return undefined;
}
