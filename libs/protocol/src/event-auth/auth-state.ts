import { stateKeyOf } from '../state-trie/state-key-of.js';
import type { RoomEvent } from '../room-event.js';

/** The state an event is checked against. Only the keys of `selectAuthTypes` are ever read. */
export interface AuthState {
  /** The accepted create event of the room: from version 12 on known by the room id, before it from the state. */
  readonly createEvent: RoomEvent | undefined;
  get(type: string, stateKey: string): RoomEvent | undefined;
}

/**
 * The state made of some events, for instance of an event's auth events (checks on receipt of a PDU, step 4). The create
 * event is taken from among them unless given. Of two events with the same key the last one counts.
 */
export function authStateOf(events: Iterable<RoomEvent>, createEvent?: RoomEvent): AuthState {
  const byKey = new Map<string, RoomEvent>();
  for (const event of events) {
    if (event.stateKey !== undefined) byKey.set(stateKeyOf(event.type, event.stateKey), event);
  }
  return {
    createEvent: createEvent ?? byKey.get(stateKeyOf('m.room.create', '')),
    get: (type, stateKey) => byKey.get(stateKeyOf(type, stateKey)),
  };
}
