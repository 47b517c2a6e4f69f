import type { RecordedFact } from '#event-store/event-store';

/**
 * How far it is what follows from a fact: done, and noted, so that no process does any of it again; under way; or given up in part, and an operator is yet to have that tried again or
 * dropped.
 */
export type StateOfFact = 'done' | 'under-way' | 'given-up';

/** Who knows what follows from facts: `EffectRunner`. */
export interface WhatFollows {
  stateOf(fact: RecordedFact): Promise<StateOfFact>;
}

/** Injection token of WhatFollows. */
export const WHAT_FOLLOWS = Symbol.for('annals.WhatFollows');
