import type { FactDraft } from './seal-facts.js';
import type { Aggregate, Decide } from './aggregates.js';

/** What `decide` answers; undefined where it refuses upon a state that may be old. */
export function decideOr<S>(decide: Decide<S>, known: Aggregate<S>, newest: boolean): readonly FactDraft[] | undefined {
  try {
    return decide(known.state, known.revision !== 'no-stream', known.revision);
  } catch (error) {
    if (newest) throw error;
    return undefined;
  }
}
