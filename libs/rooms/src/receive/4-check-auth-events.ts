import type { EventId } from '#kernel/ids';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { findAuthRefusal } from '#protocol/event-auth/authorize-event';
import { findAuthEventsRefusal } from '#protocol/event-auth/check-auth-events';
import type { Refusal } from '#protocol/event-auth/refusal';
import type { RoomEvent } from '#protocol/room-event';
import type { KnownEvent, KnownRoom } from './known-room.js';

/**
 * Step 4: why an event's own auth events do not allow it; undefined where they do. `known` holds all that it names. Outliers
 * count, rejected ones do not: room versions, "Authorisation rules", the rule on `auth_events`.
 */
export function refuseByAuthEvents(
  event: RoomEvent,
  known: ReadonlyMap<EventId, KnownEvent>,
  { version, createEvent }: Pick<KnownRoom, 'version' | 'createEvent'>,
): Refusal {
  const authEvents = event.authEvents.flatMap((eventId) => known.get(eventId)?.event ?? []);
  const isRejected = (eventId: EventId) => known.get(eventId)?.rejection !== undefined;
  return (
    findAuthEventsRefusal(event, authEvents, version, isRejected) ??
    findAuthRefusal(event, version, authStateOf(authEvents, version.roomIdIsCreateHash ? createEvent : undefined))
  );
}
