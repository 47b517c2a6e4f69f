import { each, type Steps } from '#kernel/steps';
import { findAuthRefusal } from '../event-auth/authorize-event.js';
import type { RoomEvent } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import type { StateTrie } from '../state-trie/state-trie.js';
import { type EventsById, findAuthEvent } from './events-by-id.js';
import type { KeyedMap } from './keyed-map.js';

/** A state under construction: what was applied so far upon a state that stays as it is. */
export interface PartialState {
  readonly base: Pick<StateTrie, 'get'>;
  readonly applied: KeyedMap<RoomEvent>;
}

/**
 * Applies events in turn, each if the state so far allows it (room version 2, "Iterative auth checks"). Writes to
 * `partial.applied`. `createEvent` where the room id is its hash: there it is neither in the state nor among auth events.
 */
export function applyAllowed(
  list: readonly RoomEvent[],
  partial: PartialState,
  version: RoomVersion,
  events: EventsById,
  createEvent: RoomEvent | undefined,
): Steps<void> {
  return each(list, (event) => {
    if (event.stateKey === undefined) return;
    const get = (type: string, stateKey: string) =>
      findInPartial(partial, type, stateKey, events) ?? findAuthEvent(event, type, stateKey, events);
    const state = { createEvent: createEvent ?? get('m.room.create', ''), get };
    if (findAuthRefusal(event, version, state) !== undefined) return;
    partial.applied.set(event.type, event.stateKey, event);
  });
}

/** The event at a key of a state under construction. */
export function findInPartial(
  { base, applied }: PartialState,
  type: string,
  stateKey: string,
  events: EventsById,
): RoomEvent | undefined {
  const event = applied.get(type, stateKey);
  if (event !== undefined) return event;
  const eventId = base.get(type, stateKey);
  return eventId === undefined ? undefined : events.get(eventId);
}
