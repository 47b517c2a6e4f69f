import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { KnownRoom } from './known-room.js';

/** So many events are gone through at most: a room whose auth chains are longer takes an old event for news. */
const MOST_GONE_THROUGH = 10_000;

/**
 * Whether what holds an event's key now rests on the event: was authorised by it, or by what was, and so on. Then it came before that, and
 * was superseded, whoever tells it again and whenever. Nothing else proves it: other auth events are named by whoever likes to.
 */
export async function isSuperseded({ eventId, type, stateKey }: RoomEvent, room: KnownRoom): Promise<boolean> {
  const holder = stateKey === undefined ? undefined : (room.state.get(type, stateKey) as EventId | undefined);
  const asked = new Set<EventId>(holder === undefined ? [] : [holder]);
  for (let next = [...asked]; next.length > 0 && asked.size < MOST_GONE_THROUGH;) {
    const found = await room.find(next);
    next = [];
    for (const { event } of found.values()) {
      for (const each of event.authEvents) {
        if (each === eventId) return true;
        if (asked.has(each)) continue;
        asked.add(each);
        next.push(each);
      }
    }
  }
  return false;
}
