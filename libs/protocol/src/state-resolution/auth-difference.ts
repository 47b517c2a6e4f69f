import type { EventId } from '#kernel/ids';
import type { StateTrie } from '../state-trie/state-trie.js';
import { type EventsById, findUsable } from './events-by-id.js';
import { eventIdsOf, type SplitStates } from './split-conflicted.js';

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
export function findAuthDifference(split: SplitStates, events: EventsById): Set<EventId> {
  const difference = findSeenBySome(split, events);
  removeReachable(difference, new Set(split.conflicts.flatMap(eventIdsOf)), split.unconflicted, events);
  return difference;
}

/**
 * The events that conflicted events of some states lead to, but not those of all: the auth difference, and besides what the
 * auth chains of unconflicted events hold. Only of these does it matter what those chains hold.
 */
export function findSeenBySome({ unconflicted, conflicts }: SplitStates, events: EventsById): Set<EventId> {
  const states = conflicts[0]?.perState.length ?? 0;
  const seenBy = new Map<EventId, number>();
  for (let i = 0; i < states; i++) {
    const own = conflicts.map(({ perState }) => perState[i]).filter((eventId) => eventId !== undefined);
    for (const eventId of walkConflicted(own, unconflicted, events))
      seenBy.set(eventId, (seenBy.get(eventId) ?? 0) + 1);
  }
  const some = new Set<EventId>();
  for (const [eventId, count] of seenBy) if (count < states) some.add(eventId);
  return some;
}

/** Some events and their auth chains, without unconflicted events and what is only reached through those. */
function walkConflicted(start: readonly EventId[], unconflicted: StateTrie, events: EventsById): Set<EventId> {
  const seen = new Set<EventId>();
  const stack = [...start];
  for (let eventId = stack.pop(); eventId !== undefined; eventId = stack.pop()) {
    if (seen.has(eventId)) continue;
    const event = findUsable(events, eventId);
    if (event === undefined) continue;
    if (event.stateKey !== undefined && unconflicted.get(event.type, event.stateKey) === eventId) continue;
    seen.add(eventId);
    stack.push(...event.authEvents);
  }
  return seen;
}

/** Removes the candidates that are in the auth chain of an unconflicted event, and so in those of all states. */
function removeReachable(
  candidates: Set<EventId>,
  conflicted: ReadonlySet<EventId>,
  unconflicted: StateTrie,
  events: EventsById,
): void {
  const open = new Set([...candidates].filter((eventId) => !conflicted.has(eventId)));
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
