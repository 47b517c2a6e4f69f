import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type StatePattern, type StateRequest, WantedState } from './wanted-state.js';

const request = (include: readonly StatePattern[], more: Partial<StateRequest> = {}): StateRequest => ({
  include,
  exclude: [],
  lazyMembers: false,
  ...more,
});
const wanted = (...requests: readonly StateRequest[]): WantedState => WantedState.of(requests);
const CREATE = { type: 'm.room.create', stateKey: '' };
const ALICE = { type: 'm.room.member', stateKey: '@alice:x' };

const TYPES = ['m.room.member', 'm.room.create', 'org.other'];
const KEYS = ['', '@alice:x', '@bob:x'];
const pattern = fc.record(
  { type: fc.constantFrom(...TYPES), stateKey: fc.constantFrom(...KEYS) },
  { requiredKeys: [] },
);
const requests = fc.array(
  fc.record({
    include: fc.array(pattern, { maxLength: 3 }),
    exclude: fc.array(pattern, { maxLength: 2 }),
    lazyMembers: fc.boolean(),
  }),
  { maxLength: 3 },
);
const ALL = TYPES.flatMap((type) => KEYS.map((stateKey) => ({ type, stateKey })));

describe('the state that is wanted', () => {
  it('is what a pattern names, with what is left out standing for all', () => {
    expect(wanted(request([CREATE])).matches(CREATE)).toBe(true);
    expect(wanted(request([CREATE])).matches({ type: 'm.room.create', stateKey: 'other' })).toBe(false);
    expect(wanted(request([{ type: 'm.space.child' }])).matches({ type: 'm.space.child', stateKey: '!a:x' })).toBe(
      true,
    );
    expect(wanted(request([{ stateKey: '@alice:x' }])).matches(ALICE)).toBe(true);
    expect(wanted(request([{}])).matches(ALICE)).toBe(true);
    expect(WantedState.NOTHING.matches(CREATE)).toBe(false);
  });

  it('is not what is excluded', () => {
    const state = wanted(request([{}], { exclude: [CREATE] }));
    expect([state.matches(CREATE), state.matches(ALICE)]).toEqual([false, true]);
  });

  it('has no members where all is wanted and members are loaded lazily, but those that are named', () => {
    const lazy = wanted(request([{}, { type: 'm.room.member', stateKey: '@bob:x' }], { lazyMembers: true }));
    expect([lazy.matches(CREATE), lazy.matches(ALICE)]).toEqual([true, false]);
    expect(lazy.matches({ type: 'm.room.member', stateKey: '@bob:x' })).toBe(true);
    expect([lazy.isLazy, lazy.wantsAllMembers, lazy.namedMembers]).toEqual([true, false, ['@bob:x']]);
    expect(wanted(request([{ type: 'm.room.member' }], { lazyMembers: true })).wantsAllMembers).toBe(true);
  });

  it('has all members where one of two requests wants them and the other loads them lazily', () => {
    const both = wanted(request([{}]), request([CREATE], { lazyMembers: true }));
    expect([both.matches(ALICE), both.wantsAllMembers, both.isLazy]).toEqual([true, true, true]);
  });

  it('is of several requests what any of them asks for, in whichever order they come', () => {
    fc.assert(
      fc.property(requests, requests, (some, others) => {
        const state = WantedState.of([...some, ...others]);
        expect(WantedState.of([...others, ...some]).text).toBe(state.text);
        expect(WantedState.of(some).or(WantedState.of(others)).text).toBe(state.text);
        const singles = [...some, ...others].map((one) => WantedState.of([one]));
        for (const key of ALL)
          expect([key, state.matches(key)]).toEqual([key, singles.some((single) => single.matches(key))]);
      }),
    );
  });

  it('is read back from its text', () => {
    fc.assert(
      fc.property(requests, (some) => {
        const state = WantedState.of(some);
        const again = WantedState.parse(state.text);
        expect(again.text).toBe(state.text);
        for (const key of ALL) expect(again.matches(key)).toBe(state.matches(key));
      }),
    );
  });

  it('covers another only where it has all of that', () => {
    fc.assert(
      fc.property(requests, requests, (some, others) => {
        const [state, other] = [WantedState.of(some), WantedState.of(others)];
        expect(state.covers(state)).toBe(true);
        if (!state.covers(other)) return;
        expect(!other.isLazy || state.isLazy || state.wantsAllMembers).toBe(true);
        for (const key of ALL) if (other.matches(key)) expect([key, state.matches(key)]).toEqual([key, true]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('covers what a narrower pattern asks for', () => {
    const all = wanted(request([{}]));
    expect(all.covers(wanted(request([CREATE, ALICE])))).toBe(true);
    expect(wanted(request([CREATE])).covers(all)).toBe(false);
    expect(all.covers(WantedState.NOTHING)).toBe(true);
    expect(wanted(request([{}], { exclude: [CREATE] })).covers(wanted(request([ALICE])))).toBe(false);
    expect(wanted(request([{ type: 'm.room.member' }])).covers(wanted(request([], { lazyMembers: true })))).toBe(true);
  });
});
