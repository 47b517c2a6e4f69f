import type { EventId } from '#kernel/ids';
import type { StateKey } from '../room-event.js';
import { diffTries, type StateTrie } from '../state-trie/state-trie.js';
import { stateKeyOf } from '../state-trie/state-key-of.js';

/** A key on which the states differ. */
export interface Conflict extends StateKey {
  /** What each state has there, in the order of the states; undefined where it has nothing. */
  readonly perState: readonly (EventId | undefined)[];
}

export interface SplitStates {
  /** The unconflicted state map: what all states agree on. */
  readonly unconflicted: StateTrie;
  readonly conflicts: readonly Conflict[];
}

/**
 * Splits states into what they agree on and what not (room version 2, "Unconflicted state map and conflicted state set").
 * Its cost depends on the differences, not on the size of the states.
 */
export function splitConflicted(states: readonly [StateTrie, ...StateTrie[]]): SplitStates {
  const [first, ...others] = states;
  const conflicts = new Map<string, Conflict>();
  for (const other of others) {
    for (const { type, stateKey } of diffTries(first, other)) {
      const key = stateKeyOf(type, stateKey);
      if (conflicts.has(key)) continue;
      conflicts.set(key, { type, stateKey, perState: states.map((state) => state.get(type, stateKey)) });
    }
  }
  let unconflicted = first;
  for (const { type, stateKey } of conflicts.values()) unconflicted = unconflicted.delete(type, stateKey);
  return { unconflicted, conflicts: [...conflicts.values()] };
}

/** The events of a conflict, each once. */
export function eventIdsOf({ perState }: Conflict): EventId[] {
  return [...new Set(perState)].filter((eventId) => eventId !== undefined);
}
