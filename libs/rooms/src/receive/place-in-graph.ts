import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { KnownEvent, KnownExtremity, KnownRoom } from './known-room.js';

/** NOTSPEC: with more ends than so many open, an event of ours brings them together, though nobody here says anything. */
const MOST_OPEN = 10;
/** How many refused events are gone through on the way to ends that a new event stands on. */
const MOST_REFUSED = 200;

/** Whether so many ends are open that an event of ours is due to bring them together. */
export function isMergeDue(extremities: readonly unknown[]): boolean {
  return extremities.length > MOST_OPEN;
}

/**
 * The events that one with these parents stands on, so that they are ends no more: these and, by way of events that were refused
 * (soft-failed or rejected), which ended nothing themselves, the parents of those. Yields ids, and is given those events among them
 * that were refused.
 */
export function* standsOn(
  parents: readonly EventId[],
): Generator<readonly EventId[], ReadonlySet<EventId>, readonly Pick<RoomEvent, 'prevEvents'>[]> {
  const covered = new Set<EventId>();
  let budget = MOST_REFUSED;
  let next: readonly EventId[] = [...new Set(parents)];
  while (next.length > 0) {
    for (const eventId of next) covered.add(eventId);
    const refused = yield next;
    budget -= refused.length;
    if (budget < 0) break;
    next = [...new Set(refused.flatMap(({ prevEvents }) => prevEvents))].filter((eventId) => !covered.has(eventId));
  }
  return covered;
}

/** The room's ends besides an event that was accepted. `known` has its parents, as far as they are here. */
export async function extremitiesBeside(
  event: RoomEvent,
  known: ReadonlyMap<EventId, KnownEvent>,
  room: KnownRoom,
): Promise<readonly KnownExtremity[]> {
  const walk = standsOn(event.prevEvents);
  let step = walk.next();
  for (let found = known; !step.done;) {
    step = walk.next(step.value.flatMap((eventId) => refusedOf(found.get(eventId))));
    if (!step.done) found = await room.find(step.value);
  }
  const covered = step.value;
  return room.extremities.filter(({ eventId }) => !covered.has(eventId));
}

function refusedOf(one: KnownEvent | undefined): RoomEvent[] {
  return one?.outcome === 'soft-failed' || one?.outcome === 'rejected' ? [one.event] : [];
}
