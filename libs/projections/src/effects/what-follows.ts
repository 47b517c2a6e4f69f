import type { RecordedFact } from '#event-store/event-store';
import type { Mark } from './effect-facts.js';
import type { EffectLane } from './effect-lane.js';
import type { EffectNotes } from './effect-notes.js';
import type { Effect } from './effect.js';

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

/** What it is found out by: the effects, what is noted of them, and those that this process runs. */
interface Known {
  readonly effects: readonly Effect[];
  readonly notes: Pick<EffectNotes, 'load'>;
  readonly lanes: ReadonlyMap<string, EffectLane>;
  readonly marks: {
    readonly logId: string | null;
    save(lanes: Iterable<EffectLane>): Promise<void> | undefined;
  };
}

/** How far it is what follows from a fact. Has noted what this process has done of it. */
export async function stateOfFact(fact: RecordedFact, { effects, notes, lanes, marks }: Known): Promise<StateOfFact> {
  let state = await notes.load();
  if ([...state.letters.values()].some((letter) => letter.fact === fact.id)) return 'given-up';
  const isPast = (mark: Mark | null | undefined): boolean =>
    mark !== undefined && mark !== null && mark.log_id === marks.logId && mark.position >= fact.position;
  const due = effects.filter((effect) => effect.keyOf(fact) !== undefined);
  const left = (): Effect[] => due.filter(({ name }) => !isPast(state.marks.get(name)));
  const here = left().flatMap(({ name }) => lanes.get(name) ?? []);
  if (here.length > 0 && here.every(({ passed }) => passed !== undefined && passed.position >= fact.position)) {
    await marks.save(here);
    state = await notes.load();
  }
  return left().length === 0 ? 'done' : 'under-way';
}
