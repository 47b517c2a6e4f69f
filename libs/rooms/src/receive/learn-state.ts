import type { EventId, ServerName } from '#kernel/ids';
import { inTurns } from '#projections/turn';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { stateAfterEvent } from '../decide/room-state.js';
import type { StateLearnt } from '../facts/join-facts.js';
import { MOST_IN_A_FACT } from '../facts/log-limits.js';
import { refuseByState } from './5-check-state-before.js';
import { type GatheredState, gatherState, longestIn } from './gather-state.js';
import type { KnownRoom } from './known-room.js';
import type { AlreadyKnown, Dropped, MissingEvents } from './outcome.js';
import { resolveStates } from './resolve-states.js';

/** So many entries are one fact: about 100 KB, where none is unusually long. */
const PART = 1_000;

/** A state that another server told, checked: the facts to be written. */
export interface LearnedState {
  readonly kind: 'learnt';
  readonly parts: readonly StateLearnt[];
  readonly state: StateTrie;
}

/** The state before an event, as another server tells it: its events by id, or what it comes of. */
export interface ToldStateBefore {
  readonly eventId: EventId;
  readonly origin: ServerName;
  readonly stateEvents: readonly EventId[] | StateByParents;
}

/** What is known of the states after all parents of an event. */
export interface StateByParents {
  /** Of those that have no place here: the state before each, by ids, as another server tells it. */
  readonly told: readonly { readonly parent: EventId; readonly stateEvents: readonly EventId[] }[];
  /** The others. */
  readonly known: readonly EventId[];
}

/**
 * Checks the state before an event that another server tells (server-server API, "Retrieving state"), each event of which was
 * judged before, most as outliers. What its own auth events do not allow is left out, as if it had not been told; so is what
 * the rules refused here. What is no state then (`gatherState`) is dropped. Where the states before parents are told, it is what those
 * after all parents are resolved to. Nothing is learnt for an event that was judged already: what stands on it does so for good.
 */
export async function learnState(
  { eventId, origin, stateEvents }: ToldStateBefore,
  room: KnownRoom,
): Promise<LearnedState | AlreadyKnown | Dropped | MissingEvents> {
  const outcome = (await room.find([eventId])).get(eventId)?.outcome;
  if (outcome !== undefined && outcome !== 'outlier') return { kind: 'known', eventId, outcome };
  const gathered =
    'told' in stateEvents ? await gatherByParents(stateEvents, room) : await gatherTold(stateEvents, room);
  if ('missing' in gathered) return { kind: 'missing', eventId, authEvents: gathered.missing, parents: [], beside: [] };
  if ('fault' in gathered) return { kind: 'dropped', reason: gathered.fault, wantedKeys: [] };
  const { state, longest } = gathered;
  return { kind: 'learnt', parts: [...tellStateInParts(eventId, origin, state, longest)], state };
}

/** What keeps a state from being one: events of it that are not here, or why it is none. */
type NotGathered = { readonly missing: readonly EventId[] } | { readonly fault: string };

/** `isWhole`: nothing of it was refused here. */
async function gatherTold(
  stateEvents: readonly EventId[],
  room: KnownRoom,
): Promise<(GatheredState & { readonly isWhole: boolean }) | NotGathered> {
  const known = await room.find([...new Set(stateEvents)]);
  const missing = stateEvents.filter((id) => !known.has(id));
  if (missing.length > 0) return { missing };
  const allowed = [...known.values()].flatMap(({ event, rejection }) => (rejection === undefined ? [event] : []));
  const told = await inTurns(gatherState(allowed, room.createEvent?.eventId));
  return typeof told === 'string' ? { fault: told } : { ...told, isWhole: allowed.length === known.size };
}

/** What the states after the parents come to, as where all of them are here. */
async function gatherByParents({ told, known }: StateByParents, room: KnownRoom): Promise<GatheredState | NotGathered> {
  const placed = await room.find(known);
  const missing = known.filter((id) => (placed.get(id)?.outcome ?? 'outlier') === 'outlier');
  if (missing.length > 0) return { missing };
  const states: StateTrie[] = [];
  for (const id of known) states.push(await room.stateAfter(id));
  for (const { parent, stateEvents } of told) {
    const before = await gatherTold(stateEvents, room);
    if (!('state' in before)) return before;
    states.push(await stateAfterTold(parent, before, room));
  }
  const state = await resolveStates(states, room);
  return { state, longest: await inTurns(longestIn(state)) };
}

/**
 * A parent that is not here, or that the rules refuse, has changed nothing. What is left of a state of which something was refused says
 * nothing against it: it may lack just what allows it.
 */
async function stateAfterTold(
  parent: EventId,
  { state, isWhole }: { readonly state: StateTrie; readonly isWhole: boolean },
  room: KnownRoom,
): Promise<StateTrie> {
  const known = await room.find([parent]);
  const { event, rejection } = known.get(parent) ?? {};
  if (event?.stateKey === undefined || rejection !== undefined) return state;
  const refusal = isWhole ? await refuseByState(event, state, known, room) : undefined;
  return refusal === undefined ? stateAfterEvent(state, event, room.version) : state;
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
