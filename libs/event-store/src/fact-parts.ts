import type { NewFact, RecordedFact } from './event-store.js';
import type { FactBody } from './fact-shapes.js';

/**
 * How facts are put together that were told in parts, for one alone would be larger than a log takes: their parts are facts of their
 * own, which stand right before them in their stream and mean nothing without them.
 */
export interface FactParts {
  /** How many facts right before this one hold parts of it. */
  count(fact: Pick<NewFact, 'type' | 'data'>): number;
  /** What a fact says together with its parts; undefined where these are not its own. */
  join(fact: RecordedFact, parts: readonly RecordedFact[]): FactBody | undefined;
}

/**
 * A fact with what its parts say. Where they are not its own it is answered as it was written, which its readers do not take for
 * all of it.
 */
export function withParts(fact: RecordedFact, parts: readonly RecordedFact[], kinds: FactParts): RecordedFact {
  const body = kinds.join(fact, parts);
  if (body === undefined) return fact;
  return { ...fact, data: body.data, metadata: { ...fact.metadata, erasable: body.erasable } };
}
