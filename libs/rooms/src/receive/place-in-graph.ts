import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { KnownEvent, KnownExtremity, KnownRoom } from './known-room.js';

/** NOTSPEC: with more ends than so many open, an event of ours brings them together, though nobody here says anything. */
const MOST_OPEN = 10;
/** How many refused events are gone through on the way to ends that a new event stands on. */
export const MOST_REFUSED = 200;

/** Whether so many ends are open that an event of ours is due to bring them together. */
export function isMergeDue(extremities: readonly unknown[]): boolean {
  return extremities.length > MOST_OPEN;
}

/**
 * The room's ends besides an event that was accepted. Those it names are none any more; nor are those that it stands on by way
 * of events that were refused (soft-failed or rejected), which ended nothing themselves.
 */
export async function extremitiesBeside(
  event: RoomEvent,
  known: ReadonlyMap<EventId, KnownEvent>,
  room: KnownRoom,
): Promise<readonly KnownExtremity[]> {
  const covered = new Set<EventId>();
  let budget = MOST_REFUSED;
  let found = known;
  let next: readonly EventId[] = event.prevEvents;
  while (next.length > 0) {
    for (const eventId of next) covered.add(eventId);
    const refused = next.flatMap((eventId) => {
      const one = found.get(eventId);
      return one?.outcome === 'soft-failed' || one?.outcome === 'rejected' ? [one.event] : [];
    });
    budget -= refused.length;
    if (budget < 0) break;
    next = [...new Set(refused.flatMap(({ prevEvents }) => prevEvents))].filter((eventId) => !covered.has(eventId));
    if (next.length > 0) found = await room.find(next);
  }
  return room.extremities.filter(({ eventId }) => !covered.has(eventId));
}
