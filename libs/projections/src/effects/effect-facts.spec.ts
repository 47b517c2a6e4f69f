import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type EffectsFact, type EffectsState, evolveEffects, NO_EFFECTS, summaryOf } from './effect-facts.js';

/** Facts as logs hold them since schema 1. This file is never changed: a new shape gets a new file. */
const golden = JSON.parse(readFileSync(new URL('golden/effects-1.json', import.meta.url), 'utf8')) as EffectsFact[];

const fold = (facts: readonly EffectsFact[], state = NO_EFFECTS): EffectsState =>
  facts.reduce((before, { type, data }) => evolveEffects(before, { type, data: JSON.stringify(data) }), state);

const asked = (state: EffectsState): unknown => [...state.silent].map(([by, others]) => [by, [...others]]);

describe('the facts of the effects', () => {
  it('still say what they said', () => {
    const state = fold(golden);
    const mark = { stream: 'room-!a', revision: 5, position: '0000000000000000009', log_id: 'log', at: 6 };
    expect(Object.fromEntries(state.marks)).toEqual({ departure: mark, sender: mark, search: null });
    expect(Object.fromEntries(state.runs)).toEqual({ departure: 'here 1', sender: 'here 1', search: 'there 1' });
    expect([...state.letters.values()]).toMatchObject([{ fact: 'f2', behind: true, retrying: true }]);
    expect(state.sinceSummary).toBe(golden.length);
  });

  it('say the same in one', () => {
    const state = fold(golden);
    expect({ ...fold([summaryOf(state, 'here 1')]), sinceSummary: golden.length }).toEqual({
      ...state,
      silent: new Map(),
    });
  });

  it('tell who has not answered', () => {
    const ask: EffectsFact = { type: 'effects-asked', data: { by: 'there 1' } };
    const state = fold([...golden, { type: 'effects-released', data: { by: 'there 1' } }, ask]);
    expect(state.runs.has('search')).toBe(false);
    expect(asked(state)).toEqual([['there 1', ['here 1']]]);
    expect(asked(fold([{ type: 'effects-passed', data: { by: 'here 1', passed: [] } }], state))).toEqual([
      ['there 1', []],
    ]);
    // What an operator does is no sign of a process.
    expect(asked(fold([{ type: 'effect-settled', data: { effect: 'sender', facts: ['f2'] } }], state))).toEqual(
      asked(state),
    );
  });

  it('that nobody knows yet change nothing', () => {
    const state = fold(golden);
    const next = evolveEffects(state, { type: 'effects-of-tomorrow', data: '{}' });
    expect(next).toEqual({ ...state, sinceSummary: state.sinceSummary + 1 });
  });
});
