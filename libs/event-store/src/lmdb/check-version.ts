import type { Database } from 'lmdb';
import { LogOfAnotherVersion } from '../event-store-errors.js';
import type { RecordedFact } from '../event-store.js';
import { readRange } from './read-range.js';

type Facts = Pick<Database<RecordedFact | null, number>, 'getKeys' | 'get'>;

/** So many facts tell of which version the log is. */
const LOOKED_AT = 3;

/**
 * Throws LogOfAnotherVersion where the last facts all say so; where only one of them does, it is damaged. Whatever else is wrong
 * is for who reads. `onFailure`: they could not be found.
 */
export function checkVersion(facts: Facts, onFailure: () => void): void {
  const layouts = lastLayouts(facts, onFailure);
  const [layout] = layouts;
  // Zeros are what is left of a page that was lost.
  if (layout !== undefined && layout > 0 && layouts.every((one) => one === layout)) {
    throw new LogOfAnotherVersion(layout);
  }
}

/** In which other layouts the last facts are; undefined for one that is in none. */
function lastLayouts(facts: Facts, onFailure: () => void): (number | undefined)[] {
  try {
    const positions = [...readRange(facts.getKeys({ reverse: true, limit: LOOKED_AT }))];
    return positions.map((position) => otherLayoutOf(facts, position));
  } catch {
    onFailure();
    return [];
  }
}

function otherLayoutOf(facts: Facts, position: number): number | undefined {
  try {
    facts.get(position);
    return undefined;
  } catch (error) {
    const { cause } = error as Error;
    return cause instanceof LogOfAnotherVersion ? cause.layout : undefined;
  }
}
