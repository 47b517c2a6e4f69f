import type { EventId } from '#kernel/ids';
import type { AuthState } from '#protocol/event-auth/auth-state';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { findAuthRefusal } from '#protocol/event-auth/authorize-event';
import type { Refusal } from '#protocol/event-auth/refusal';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent } from '#protocol/room-event';
import { StateTrie } from '#protocol/state-trie/state-trie';
import type { StateBase } from '../facts/room-facts.js';
import { getKnown, type KnownEvent, type KnownRoom } from './known-room.js';
import { resolveStates } from './resolve-states.js';

/** A state that others may be told as a change of. */
export interface BaseState {
  /** undefined: no state at all. */
  readonly base: StateBase | undefined;
  readonly state: StateTrie;
}

/** The state before an event. */
export interface StateBefore {
  readonly state: StateTrie;
  /** The states it was made of, in the order of the parents. */
  readonly bases: readonly BaseState[];
  /** Another server told it: between the event and what is here there is a gap. */
  readonly isLearnt: boolean;
}

/**
 * Step 5, first half: the state before an event. That of its parents resolved, a rejected one having changed nothing; the one
 * that another server told where parents are not known. Parents without a state, where there is no other: the caller must get them.
 */
export async function findStateBefore(
  event: RoomEvent,
  known: ReadonlyMap<EventId, KnownEvent>,
  room: KnownRoom,
): Promise<StateBefore | { readonly missing: readonly EventId[] }> {
  const parents = [...new Set(event.prevEvents)];
  const missing = parents.filter((eventId) => (known.get(eventId)?.outcome ?? 'outlier') === 'outlier');
  if (missing.length > 0) {
    const state = await room.findLearntState(event.eventId);
    return state === undefined
      ? { missing }
      : { state, bases: [{ base: { learnt: event.eventId }, state }], isLearnt: true };
  }
  const bases: BaseState[] = [];
  for (const base of parents) bases.push({ base, state: await room.stateAfter(base) });
  if (bases.length === 0) bases.push({ base: undefined, state: StateTrie.empty });
  return {
    state: await resolveStates(
      bases.map(({ state }) => state),
      room,
    ),
    bases,
    isLearnt: false,
  };
}

/** Why a state does not allow an event; undefined where it does. Room versions, "Authorisation rules". */
export async function refuseByState(
  event: RoomEvent,
  state: StateTrie,
  known: ReadonlyMap<EventId, KnownEvent>,
  room: KnownRoom,
): Promise<Refusal> {
  return findAuthRefusal(event, room.version, await authStateAt(event, state, known, room));
}

/** What a state has at the keys that an event is judged by. `known`: events at hand, so that they are not asked for again. */
export async function authStateAt(
  event: RoomEvent,
  state: StateTrie,
  known: ReadonlyMap<EventId, KnownEvent>,
  room: KnownRoom,
): Promise<AuthState> {
  const ids = selectAuthTypes(event, room.version).flatMap(({ type, stateKey }) => state.get(type, stateKey) ?? []);
  const others = ids.filter((eventId) => !known.has(eventId));
  const found = others.length === 0 ? known : await room.find(others);
  const events = ids.map((eventId) => known.get(eventId)?.event ?? getKnown(found, eventId).event);
  return authStateOf(events, room.version.roomIdIsCreateHash ? room.createEvent : undefined);
}
