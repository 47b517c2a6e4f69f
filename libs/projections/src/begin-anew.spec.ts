import { describe, expect, it } from 'vitest';
import type { Position } from '#kernel/position';
import { beginAnew, beginBehindAnew } from './begin-anew.js';
import { wordsProjector } from './example-projectors.js';
import type { GenerationRecord } from './generation.js';
import type { NextState, ProjectionRecord } from './projection.js';

const position = (number: number): Position => String(number).padStart(19, '0') as Position;
const START = position(0);
const COLLECTIONS = ['words', 'last-word'];

const at = (place: 'live' | number, generation = 1): GenerationRecord => ({
  version: 1,
  generation,
  collections: COLLECTIONS,
  at: place === 'live' ? place : position(place),
  facts: 3,
});
const EMPTY = { version: 1, generation: 8, collections: COLLECTIONS, at: START, facts: 0 };
const recordOf = (serving: GenerationRecord, more: Partial<ProjectionRecord> = {}): ProjectionRecord => ({
  lastGeneration: 7,
  serving,
  ...more,
});

/** With the shared checkpoint at 50, where the log has forgotten something up to a position. */
const begun = (record: ProjectionRecord, upTo?: number): ReturnType<typeof beginAnew> =>
  beginAnew(wordsProjector(), record, position(50), upTo === undefined ? undefined : position(upTo));

describe('of what is behind what the log has forgotten', () => {
  it('what serves begins anew, with all beside it, and as if nothing had been there', () => {
    const paused = { reason: 'looks wrong', at: 1 };
    const next = { ...at(20, 7), state: 'filling' as const, byHand: false };
    const anew = begun(recordOf(at('live'), { previous: at(30, 5), next, paused }), 51);
    expect(anew?.record).toEqual({ lastGeneration: 8, serving: EMPTY });
    expect(anew?.left.map(({ generation }) => generation)).toEqual([1, 5, 7]);
    expect(begun(recordOf(at(20)), 21)?.record).toEqual({ lastGeneration: 8, serving: EMPTY });
  });

  it.each<NextState>(['filling', 'ready'])('a rebuild that is %s begins anew beside what serves', (state) => {
    const record = recordOf(at('live'), { previous: at(30, 5), next: { ...at(20, 7), state, byHand: true } });
    const anew = begun(record, 50);
    const next = { ...EMPTY, state: 'filling', byHand: true };
    expect(anew?.record).toEqual({ ...record, lastGeneration: 8, next });
    expect(anew?.left.map(({ generation }) => generation)).toEqual([7]);
  });

  it.each<NextState>(['cancelled', 'failed'])('a rebuild that is %s stays, as what served before does', (state) => {
    const next = { ...at(20, 7), state, byHand: false };
    expect(begun(recordOf(at('live'), { previous: at(30, 5), next }), 50)).toBeUndefined();
  });

  it('nothing is that has come that far, has not begun, or of which nothing was forgotten', () => {
    expect(begun(recordOf(at('live')), 50)).toBeUndefined();
    expect(begun(recordOf(at(0)), 50)).toBeUndefined();
    expect(begun(recordOf(at(20)))).toBeUndefined();
  });
});

describe('what began to be filled after the log forgot something', () => {
  /** What began when `began` had noted that last, where `last` now has, after its checkpoint. */
  const anew = (began: string | undefined, last: string): readonly string[] => {
    const state = {
      records: new Map([['words', recordOf(at('live'))]]),
      begun: new Map(began === undefined ? [] : [['words', began]]),
      checkpoint: { log: 'log', position: position(20) },
    };
    return beginBehindAnew([wordsProjector()], state, { upTo: new Map([['words', position(30)]]), last }).anew;
  };

  it('goes on, until something is forgotten once more, or the log was put back to where something else is', () => {
    expect([anew('one', 'one'), anew('one', 'two'), anew('', 'one')]).toEqual([[], ['words'], ['words']]);
    expect(anew(undefined, 'one')).toEqual(['words']);
  });
});
