import type { EventId, ServerName } from '#kernel/ids';
import { inTurns } from '#projections/turn';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { StateLearnt } from '../facts/room-facts.js';
import { MOST_IN_A_FACT } from '../facts/log-limits.js';
import { gatherState } from './gather-state.js';
import type { KnownRoom } from './known-room.js';
import type { AlreadyKnown, Dropped, MissingEvents } from './outcome.js';

/** So many entries are one fact: about 100 KB, where none is unusually long. */
const PART = 1_000;

/** A state that another server told, checked: the facts to be written. */
export interface LearnedState {
  readonly kind: 'learnt';
  readonly parts: readonly StateLearnt[];
  readonly state: StateTrie;
}

/** The state before an event, as another server tells it: its events by id. */
export interface ToldStateBefore {
  readonly eventId: EventId;
  readonly origin: ServerName;
  readonly stateEvents: readonly EventId[];
}

/**
 * Checks the state before an event that another server tells (server-server API, "Retrieving state"), each event of which was
 * judged before, most as outliers. What its own auth events do not allow is left out, as if it had not been told; so is what
 * the rules refused here. What is no state then (`gatherState`) is dropped. Nothing is learnt for an event that was judged already: what
 * stands on it does so for good.
 */
export async function learnState(
  { eventId, origin, stateEvents }: ToldStateBefore,
  room: KnownRoom,
): Promise<LearnedState | AlreadyKnown | Dropped | MissingEvents> {
  const outcome = (await room.find([eventId])).get(eventId)?.outcome;
  if (outcome !== undefined && outcome !== 'outlier') return { kind: 'known', eventId, outcome };
  const known = await room.find([...new Set(stateEvents)]);
  const authEvents = stateEvents.filter((id) => !known.has(id));
  if (authEvents.length > 0) return { kind: 'missing', eventId, authEvents, parents: [] };
  const allowed = [...known.values()].flatMap(({ event, rejection }) => (rejection === undefined ? [event] : []));
  const told = await inTurns(gatherState(allowed, room.createEvent?.eventId));
  if (typeof told === 'string') return { kind: 'dropped', reason: told, wantedKeys: [] };
  const { state, longest } = told;
  return { kind: 'learnt', parts: [...tellStateInParts(eventId, origin, state, longest)], state };
}

/**
 * The state before an event as the facts tell it, in parts of some thousand entries; made one after another as they are asked for.
 * `longest`: the most that any of its entries takes (`gatherState`).
 */
export function* tellStateInParts(
  eventId: EventId,
  origin: ServerName,
  state: StateTrie,
  longest: number,
): Generator<StateLearnt> {
  const size = Math.max(1, Math.min(PART, Math.floor(MOST_IN_A_FACT / longest)));
  const parts = Math.ceil(state.size / size);
  const root = state.rootHash;
  let entries: StateLearnt['state'][number][] = [];
  let part = 0;
  for (const { type, stateKey, eventId: id } of state.entries()) {
    entries.push([type, stateKey, id]);
    if (entries.length < size && part * size + entries.length < state.size) continue;
    yield { event_id: eventId, origin, part: ++part, parts, root, state: entries };
    entries = [];
  }
}
