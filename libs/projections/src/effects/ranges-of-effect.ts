import { hash } from 'node:crypto';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from './effect.js';

/** An effect as those that processes divide among them: one for each range of its keys, named `effect/range`. */
export function rangesOfEffect(effect: Effect): readonly Effect[] {
  const { ranges = 1, name, fromStart, isStrict } = effect;
  if (ranges === 1) return [effect];
  // PERF: all ranges look at one fact after the other; it is read once.
  let last: { readonly fact: RecordedFact; readonly key: string | undefined } | undefined;
  const keyOf = (fact: RecordedFact): string | undefined => {
    if (last?.fact !== fact) last = { fact, key: effect.keyOf(fact) };
    return last.key;
  };
  return Array.from({ length: ranges }, (_, range) => ({
    name: `${name}/${range}`,
    fromStart,
    isStrict,
    keyOf(fact) {
      const key = keyOf(fact);
      return key !== undefined && rangeOf(key, ranges) === range ? key : undefined;
    },
    run: (fact, stands) => effect.run(fact, stands),
  }));
}

/** The same for ever: what is noted of a range is noted of its keys. */
function rangeOf(key: string, ranges: number): number {
  return Number.parseInt(hash('sha256', key, 'hex').slice(0, 8), 16) % ranges;
}

/** The effect that a range belongs to; undefined for one that is not divided. */
export function effectOfRange(name: string): string | undefined {
  const end = name.lastIndexOf('/');
  return end < 0 ? undefined : name.slice(0, end);
}
