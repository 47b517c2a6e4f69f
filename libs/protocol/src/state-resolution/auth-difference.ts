import type { EventId } from '#kernel/ids';
import type { Steps } from '#kernel/steps';
import { type EventsById, findUsable } from './events-by-id.js';
import type { SplitStates, UnconflictedState } from './split-conflicted.js';

/**
 * The events that are in the full auth chains of some states but not of all (room version 2, "Auth difference"). Events of
 * the conflicted state set may be left in or out: they are in the full conflicted set either way.
 *
 * NOTSPEC: a state's own events count as part of its auth chain, as with all servers in use. An event that is state on both
 * sides, but auth event on one only, would otherwise be authorised again against a state that it belongs to.
 *
 * PERF: the unconflicted events and their auth chains are in the chains of all states. So only the conflicted events are
 * followed, up to where they meet an unconflicted one, and the chains of the unconflicted events are walked only while there
 * are candidates left that those could still reach.
 */
export function* findAuthDifference(
  split: SplitStates,
  events: EventsById,
  seenBySome?: ReadonlySet<EventId>,
): Steps<Set<EventId>> {
  const difference = new Set(seenBySome ?? (yield* findSeenBySome(split, events)));
  removeReachable(difference, split, events);
  return difference;
}

interface Seen {
  /** The last state whose conflicted events lead to the event. */
  last: number;
  states: number;
  readonly authEvents: readonly EventId[];
}

/** PERF: so many events are looked at within a millisecond. */
const STEPS_AT_ONCE = 64;

/** Of an event from which on no state is looked at: an unconflicted one, or one that is not there. */
const NOT_FOLLOWED: Seen = { last: Infinity, states: Infinity, authEvents: [] };

/**
 * The events that conflicted events of some states lead to, but not those of all: the auth difference, and besides what the
 * auth chains of unconflicted events hold. Only of these does it matter what those chains hold.
 */
export function* findSeenBySome({ unconflicted, conflicts }: SplitStates, events: EventsById): Steps<Set<EventId>> {
  const states = conflicts[0]?.perState.length ?? 0;
  const seen = new Map<EventId, Seen>();
  const stack: EventId[] = [];
  let steps = 0;
  for (let i = 0; i < states; i++) {
    for (const { perState } of conflicts) if (perState[i] !== undefined) stack.push(perState[i]!);
    for (let eventId = stack.pop(); eventId !== undefined; eventId = stack.pop()) {
      let one = seen.get(eventId);
      if (one === undefined) seen.set(eventId, (one = firstSeen(eventId, unconflicted, events)));
      if (++steps % STEPS_AT_ONCE === 0) yield;
      if (one.last >= i) continue;
      one.last = i;
      one.states++;
      for (const authEvent of one.authEvents) stack.push(authEvent);
    }
  }
  const some = new Set<EventId>();
  for (const [eventId, one] of seen) if (one.states < states) some.add(eventId);
  return some;
}

function firstSeen(eventId: EventId, unconflicted: UnconflictedState, events: EventsById): Seen {
  const event = findUsable(events, eventId);
  if (event === undefined) return NOT_FOLLOWED;
  const { type, stateKey, authEvents } = event;
  if (stateKey !== undefined && unconflicted.get(type, stateKey) === eventId) return NOT_FOLLOWED;
  return { last: -1, states: 0, authEvents };
}

/** Removes the candidates that are in the auth chain of an unconflicted event, and so in those of all states. */
function removeReachable(
  candidates: Set<EventId>,
  { conflicted, unconflicted }: SplitStates,
  events: EventsById,
): void {
  const open = new Set<EventId>();
  for (const eventId of candidates) if (!conflicted.has(eventId)) open.add(eventId);
  if (open.size === 0) return;
  const seen = new Set<EventId>();
  for (const { eventId: start } of unconflicted.entries()) {
    const stack = [start];
    for (let eventId = stack.pop(); eventId !== undefined; eventId = stack.pop()) {
      if (seen.has(eventId)) continue;
      seen.add(eventId);
      if (open.delete(eventId)) candidates.delete(eventId);
      stack.push(...(events.get(eventId)?.authEvents ?? []));
    }
    if (open.size === 0) return;
  }
}
