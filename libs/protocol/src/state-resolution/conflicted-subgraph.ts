import type { EventId } from '#kernel/ids';
import type { Steps } from '#kernel/steps';
import { type EventsById, findUsable } from './events-by-id.js';

/** PERF: so many events are looked at within a millisecond. */
const STEPS_AT_ONCE = 64;

/**
 * The events on the paths along auth events from one event of the conflicted state set to another (room version 12,
 * "Conflicted state subgraph"). The ends of the paths may be left out: they are in the full conflicted set anyway.
 */
export function* findConflictedSubgraph(conflicted: ReadonlySet<EventId>, events: EventsById): Steps<Set<EventId>> {
  /** Whether an event's auth chain holds a conflicted event; everything here is itself in the chain of one. */
  const leadsToConflict = new Map<EventId, boolean>();
  const stack = [...conflicted].map((eventId) => ({ eventId, isDone: false }));
  let steps = 0;
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if (++steps % STEPS_AT_ONCE === 0) yield;
    const { eventId, isDone } = step;
    const authEvents = findUsable(events, eventId)?.authEvents ?? [];
    if (isDone) {
      leadsToConflict.set(
        eventId,
        authEvents.some((each) => conflicted.has(each) || leadsToConflict.get(each) === true),
      );
    } else if (!leadsToConflict.has(eventId)) {
      leadsToConflict.set(eventId, false);
      stack.push({ eventId, isDone: true }, ...authEvents.map((each) => ({ eventId: each, isDone: false })));
    }
  }
  return new Set([...leadsToConflict].filter(([, leads]) => leads).map(([eventId]) => eventId));
}
