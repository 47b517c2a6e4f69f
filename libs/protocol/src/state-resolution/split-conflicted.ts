import type { EventId } from '#kernel/ids';
import { each, type Steps } from '#kernel/steps';
import type { RoomEvent } from '../room-event.js';
import {
  changeInSteps,
  diffTries,
  type StateEntry,
  type StateTrie,
  type TrieChange,
  type TrieKey,
} from '../state-trie/state-trie.js';
import { KeyedMap } from './keyed-map.js';

/** A key on which the states differ. */
export interface Conflict extends TrieKey {
  /** What each state has there, in the order of the states; undefined where it has nothing. */
  readonly perState: readonly (EventId | undefined)[];
}

export interface SplitStates {
  readonly unconflicted: UnconflictedState;
  readonly conflicts: readonly Conflict[];
  /** The conflicted state set: the events of all conflicts. */
  readonly conflicted: ReadonlySet<EventId>;
}

/**
 * The unconflicted state map: what all states agree on. PERF: it is one of the states and the keys that do not count, for taking
 * each of these out would cost as much as the rest of a resolution (bench/resolve.ts).
 */
export class UnconflictedState {
  /** What was asked for: the same few keys again and again. */
  readonly #known = new KeyedMap<EventId | undefined>();

  constructor(
    private readonly first: StateTrie,
    private readonly conflicts: KeyedMap<Conflict>,
  ) {}

  get(type: string, stateKey: string): EventId | undefined {
    if (this.conflicts.has(type, stateKey)) return undefined;
    if (this.#known.has(type, stateKey)) return this.#known.get(type, stateKey);
    const eventId = this.first.get(type, stateKey);
    this.#known.set(type, stateKey, eventId);
    return eventId;
  }

  *entries(): Generator<StateEntry, void, undefined> {
    for (const entry of this.first.entries()) if (!this.conflicts.has(entry.type, entry.stateKey)) yield entry;
  }

  /** A state of these entries and of those that are applied to keys which are not unconflicted. */
  *with(applied: KeyedMap<RoomEvent>): Steps<StateTrie> {
    const changes: TrieChange[] = [];
    for (const { type, stateKey, path, perState } of this.conflicts.values()) {
      const eventId = applied.get(type, stateKey)?.eventId;
      if (eventId !== perState[0]) changes.push({ type, stateKey, path, eventId });
    }
    for (const { type, stateKey = '', eventId } of applied.values()) {
      const isOther = !this.conflicts.has(type, stateKey) && this.get(type, stateKey) === undefined;
      if (isOther) changes.push({ type, stateKey, eventId });
    }
    yield;
    return yield* changeInSteps(this.first, changes);
  }
}

/**
 * Splits states into what they agree on and what not (room version 2, "Unconflicted state map and conflicted state set").
 * Its cost depends on the differences, not on the size of the states. In steps.
 */
export function* splitConflicted(states: readonly [StateTrie, ...StateTrie[]]): Steps<SplitStates> {
  const [first, ...others] = states;
  const conflicts = new KeyedMap<Conflict>();
  const conflicted = new Set<EventId>();
  for (const other of others) {
    yield* each(diffTries(first, other), ({ type, stateKey, path, before, after }) => {
      if (conflicts.has(type, stateKey)) return;
      const perState = others.length === 1 ? [before, after] : states.map((state) => state.get(type, stateKey));
      conflicts.set(type, stateKey, { type, stateKey, path, perState });
      for (const eventId of perState) if (eventId !== undefined) conflicted.add(eventId);
    });
  }
  return { unconflicted: new UnconflictedState(first, conflicts), conflicts: [...conflicts.values()], conflicted };
}

/** The events of a conflict, each once. */
export function eventIdsOf({ perState }: Pick<Conflict, 'perState'>): EventId[] {
  return [...new Set(perState)].filter((eventId) => eventId !== undefined);
}
