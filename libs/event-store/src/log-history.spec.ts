import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparePlaces, type Place, START } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import { LogHistory, type Restoration } from './log-history.js';

/** A log whose positions count its facts: each next one is the next number, whatever stood there in a lost part. */
type Facts = readonly string[];

/** What an operator and those who write do with a log. */
type Step = { readonly write: number } | { readonly backUp: true } | { readonly restore: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ write: fc.integer({ min: 1, max: 4 }) }),
    fc.constant({ backUp: true as const }),
    fc.record({ restore: fc.nat() }),
  ),
  { maxLength: 30 },
);

/** A text that somebody kept, with the log that it was a place of. */
interface Kept {
  readonly text: string;
  readonly place: Place;
  readonly facts: Facts;
}

function live(life: readonly Step[]): { readonly facts: Facts; readonly history: LogHistory; readonly kept: Kept[] } {
  let facts: string[] = [];
  let restorations: Restoration[] = [];
  const backups: { facts: Facts; restorations: readonly Restoration[] }[] = [{ facts, restorations }];
  const kept: Kept[] = [];
  const keep = (): void => {
    const history = new LogHistory(restorations);
    for (const at of facts.keys()) {
      for (const place of [positionOf(at + 1), { before: positionOf(at + 1) }]) {
        kept.push({ text: history.format(place), place, facts });
      }
    }
  };
  let made = 0;
  for (const step of life) {
    if ('write' in step) facts = [...facts, ...Array.from({ length: step.write }, () => `fact ${++made}`)];
    else if ('backUp' in step) backups.push({ facts, restorations });
    else {
      const backup = backups[step.restore % backups.length]!;
      const restoration = { name: (++made).toString(16).padStart(8, '0'), agreed: positionOf(backup.facts.length) };
      facts = [...backup.facts, `restored ${made}`];
      restorations = [...backup.restorations, restoration];
    }
    keep();
  }
  return { facts, history: new LogHistory(restorations), kept };
}

/** The facts before a place: what somebody who stands there has heard of. */
function heard(facts: Facts, place: Place): Facts {
  return facts.filter((_, at) => comparePlaces(positionOf(at + 1), place) <= 0);
}

describe('a place that was kept', () => {
  test('is never after anything that whoever kept it has not heard of, however often the log was restored since', () => {
    fc.assert(
      fc.property(steps, (life) => {
        const { facts, history, kept } = live(life);
        for (const one of kept) {
          const { place } = history.find(one.text)!;
          expect(heard(one.facts, one.place)).toEqual(expect.arrayContaining([...heard(facts, place)]));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('is believed as it is where its log is the one at hand, or what both have goes as far', () => {
    fc.assert(
      fc.property(steps, (life) => {
        const { facts, history, kept } = live(life);
        for (const { text, place, facts: then } of kept) {
          const found = history.find(text)!;
          if (!found.isLost) expect(found.place).toEqual(place);
          if (then.every((fact, at) => facts[at] === fact)) expect(found).toEqual({ place, isLost: false });
        }
      }),
      { numRuns: 300 },
    );
  });

  test('is a text of a few characters that need no escaping', () => {
    const history = new LogHistory([{ name: '0123abcd', agreed: positionOf(5) }]);
    expect(LogHistory.UNBROKEN.format(positionOf(7))).toBe('7');
    expect(history.format(positionOf(7))).toBe('7-0123abcd');
    expect(history.format({ before: positionOf(7) })).toBe('b7-0123abcd');
  });

  test('of a history that nobody knows is before everything', () => {
    for (const history of [LogHistory.UNBROKEN, new LogHistory([{ name: '0123abcd', agreed: positionOf(5) }])]) {
      expect(history.find('3-ffffffff')).toEqual({ place: START, isLost: true });
    }
  });
});

test('any other text is no place', () => {
  for (const text of ['', '-', 'b', '1-', '-0123abcd', '1-0123abc', '1-0123ABCD', '1--0123abcd', ' 1', '1.0', 'bb1']) {
    expect(LogHistory.UNBROKEN.find(text), text).toBeUndefined();
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      const found = LogHistory.UNBROKEN.find(text);
      if (found !== undefined) expect(text).toMatch(/^b?\d{1,19}(-[0-9a-f]{8})?$/);
    }),
  );
});
