import type { EventId } from '#kernel/ids';
import type { RoomEvent } from '../room-event.js';

/**
 * Which check refused an event on receipt: the one against its own auth events (step 4), or the one against the state before
 * it (step 5).
 */
export type Rejection = 'auth-events' | 'state';

/**
 * The events that a resolution may look at: those in the states and the events of their auth chains. Asked once and again for
 * the same id, so that it should answer from memory.
 */
export interface EventsById {
  get(eventId: EventId): RoomEvent | undefined;
  /** undefined for events that were not rejected. */
  rejectionOf(eventId: EventId): Rejection | undefined;
}

/**
 * An event that may take part: not one that failed against its own auth events. One rejected for the state before it takes
 * part as any other, because servers may differ about that state (room version 2, "Rejected events").
 */
export function findUsable(events: EventsById, eventId: EventId): RoomEvent | undefined {
  return events.rejectionOf(eventId) === 'auth-events' ? undefined : events.get(eventId);
}

/** The first of an event's auth events with a key, leaving out rejected ones. */
export function findAuthEvent(
  event: RoomEvent,
  type: string,
  stateKey: string,
  events: EventsById,
): RoomEvent | undefined {
  for (const eventId of event.authEvents) {
    const candidate = events.get(eventId);
    if (candidate?.type !== type || candidate.stateKey !== stateKey) continue;
    if (events.rejectionOf(eventId) === undefined) return candidate;
  }
  return undefined;
}
