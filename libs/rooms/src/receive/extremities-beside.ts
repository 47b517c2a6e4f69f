import type { EventId } from '#kernel/ids';
import type { Refusal } from '#protocol/event-auth/refusal';
import type { RoomEvent } from '#protocol/room-event';
import type { KnownEvent, KnownExtremity, KnownRoom } from './known-room.js';

/** NOTSPEC: with more extremities than so many open, an event of ours brings them together, though nobody here says anything. */
const MOST_OPEN = 10;
/** NOTSPEC: with so many open that nobody here can bring together, what would be one more is soft-failed: each costs whoever comes next. */
const MOST_HELD = 250;
/** How many events that ended nothing are gone through on the way to extremities that a new event stands on. */
const MOST_GONE_THROUGH = 200;

/** Whether so many extremities are open that an event of ours is due to bring them together. */
export function isMergeDue(open: number): boolean {
  return open > MOST_OPEN;
}

/** Why an event that ends none of the extremities is not wanted as one more; undefined where it is. `beside`: those it leaves open. */
export function refuseOneMore(
  { length }: readonly unknown[],
  { extremities }: Pick<KnownRoom, 'extremities'>,
): Refusal {
  if (length < MOST_HELD || length < extremities.length) return undefined;
  return 'The room has too many branches';
}

/**
 * The events that one with these parents stands on, so that they are extremities no more: these and, by way of events that ended nothing
 * themselves (`endsNothing`), the parents of those. Yields ids, and is given the events among them that ended nothing.
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
    const reached = step.value.flatMap((eventId) => found.get(eventId) ?? []);
    step = walk.next(reached.flatMap((one) => (one.endedNothing === true ? [one.event] : [])));
    if (!step.done) found = await room.find(step.value);
  }
  const covered = step.value;
  return room.extremities.filter(({ eventId }) => !covered.has(eventId));
}
