import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { PduWithState } from '../facts/room-facts.js';
import type { KnownEvent, KnownExtremity, KnownRoom } from './known-room.js';

/** NOTSPEC: with more extremities than so many open, an event of ours brings them together, though nobody here says anything. */
const MOST_OPEN = 10;
/** How many events that ended nothing are gone through on the way to extremities that a new event stands on. */
const MOST_GONE_THROUGH = 200;

/** Whether so many extremities are open that an event of ours is due to bring them together. */
export function isMergeDue(extremities: readonly unknown[]): boolean {
  return extremities.length > MOST_OPEN;
}

/**
 * Whether an event that was accepted ended nothing, so that its parents may be extremities still: one of the past, and one that stands after a
 * gap, for its parents came later, if at all.
 */
export function endsNothing({ history, base }: Pick<PduWithState, 'history' | 'base'>): boolean {
  return history === true || typeof base === 'object';
}

/**
 * The events that one with these parents stands on, so that they are extremities no more: these and, by way of events that ended nothing
 * themselves (those, and what was refused: soft-failed or rejected), the parents of those. Yields ids, and is given the events among
 * them that ended nothing.
 */
export function* standsOn(
  parents: readonly EventId[],
): Generator<readonly EventId[], ReadonlySet<EventId>, readonly Pick<RoomEvent, 'prevEvents'>[]> {
  const covered = new Set<EventId>();
  let budget = MOST_GONE_THROUGH;
  let next: readonly EventId[] = [...new Set(parents)];
  while (next.length > 0) {
    for (const eventId of next) covered.add(eventId);
    const through = yield next;
    budget -= through.length;
    if (budget < 0) break;
    next = [...new Set(through.flatMap(({ prevEvents }) => prevEvents))].filter((eventId) => !covered.has(eventId));
  }
  return covered;
}

/** The room's extremities besides an event that was accepted. `known` has its parents, as far as they are here. */
export async function extremitiesBeside(
  event: RoomEvent,
  known: ReadonlyMap<EventId, KnownEvent>,
  room: KnownRoom,
): Promise<readonly KnownExtremity[]> {
  // PERF: mostly it stands on the only extremity, or on all of them, and nothing need be gone through.
  if (room.extremities.every(({ eventId }) => event.prevEvents.includes(eventId))) return [];
  const walk = standsOn(event.prevEvents);
  let step = walk.next();
  for (let found = known; !step.done;) {
    step = walk.next(step.value.flatMap((eventId) => endingNothing(found.get(eventId))));
    if (!step.done) found = await room.find(step.value);
  }
  const covered = step.value;
  return room.extremities.filter(({ eventId }) => !covered.has(eventId));
}

function endingNothing(one: KnownEvent | undefined): RoomEvent[] {
  if (one === undefined) return [];
  const isRefused = one.outcome === 'soft-failed' || one.outcome === 'rejected';
  return isRefused || one.endedNothing === true ? [one.event] : [];
}
