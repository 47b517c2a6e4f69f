import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';

/**
 * Events so that each comes after those of its auth events that are among them: the order in which a state with its auth chain
 * can be checked. Events that name each other in a circle (possible where senders choose the ids) are left out.
 */
export function sortByAuth<T extends { readonly event: RoomEvent }>(list: readonly T[]): T[] {
  const byId = new Map(list.map((one) => [one.event.eventId, one]));
  const waits = new Map<EventId, number>();
  const successors = new Map<EventId, T[]>();
  const sorted: T[] = [];
  for (const [eventId, one] of byId) {
    const before = new Set(one.event.authEvents.filter((each) => byId.has(each)));
    waits.set(eventId, before.size);
    if (before.size === 0) sorted.push(one);
    for (const each of before) {
      const others = successors.get(each);
      if (others === undefined) successors.set(each, [one]);
      else others.push(one);
    }
  }
  for (const { event } of sorted) {
    for (const next of successors.get(event.eventId) ?? []) {
      const left = (waits.get(next.event.eventId) as number) - 1;
      waits.set(next.event.eventId, left);
      if (left === 0) sorted.push(next);
    }
  }
  return sorted;
}
