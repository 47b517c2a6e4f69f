import type { EventId } from '#kernel/ids';
import type { Steps } from '#kernel/steps';
import type { RoomEvent } from '#protocol/room-event';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { type StateEntry, StateTrie } from '#protocol/state-trie/state-trie';

/** A state that another server tells, put together. */
export interface GatheredState {
  readonly state: StateTrie;
  /** The most bytes that one of its entries takes in a fact. */
  readonly longest: number;
}

/** PERF: so many are set together, so that a branch is copied once (`StateTrie.change`): it takes some milliseconds. */
const ENTRIES_AT_ONCE = 500;

/**
 * Puts a state together that another server tells (server-server API, "Retrieving state"), of its events that are not rejected. Answers
 * why it is none where two events have one key, an event is no state, or the room's create event is not among them.
 */
export function* gatherState(
  events: Iterable<Pick<RoomEvent, 'eventId' | 'type' | 'stateKey'>>,
  createEvent: EventId | undefined,
): Steps<GatheredState | string> {
  const held = new Set<string>();
  let state = StateTrie.empty;
  let waiting: StateEntry[] = [];
  let longest = 0;
  for (const { eventId, type, stateKey } of events) {
    if (stateKey === undefined) return `${eventId} is no state`;
    const key = stateKeyOf(type, stateKey);
    if (held.has(key)) return `Two events for ${type}`;
    held.add(key);
    const entry = { type, stateKey, eventId };
    longest = Math.max(longest, bytesOf(entry));
    if (waiting.push(entry) < ENTRIES_AT_ONCE) continue;
    state = state.change(waiting);
    waiting = [];
    // Its root is computed as it grows, or that would be one step at the end.
    void state.rootHash;
    yield;
  }
  state = state.change(waiting);
  if (createEvent === undefined || state.get('m.room.create', '') !== createEvent) {
    return 'The state does not hold the create event of the room';
  }
  return { state, longest };
}

/** The most bytes that one entry of a state takes in a fact. */
export function* longestIn(state: StateTrie): Steps<number> {
  let longest = 1;
  let looked = 0;
  for (const entry of state.entries()) {
    longest = Math.max(longest, bytesOf(entry));
    if (++looked % ENTRIES_AT_ONCE === 0) yield;
  }
  return longest;
}

const PLAIN = /^[ !#-[\]-~]*$/;
/** Quotes, commas and brackets of an entry. */
const BESIDES = 11;

/** No fewer bytes than an entry of a state takes as JSON, which may write six for a character. */
export function bytesOf({ type, stateKey, eventId }: StateEntry): number {
  const { length } = `${type}${stateKey}${eventId}`;
  return BESIDES + (PLAIN.test(type) && PLAIN.test(stateKey) && PLAIN.test(eventId) ? length : 6 * length);
}
