import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BUSY_TODAY, DEVICE_STATES, PRESENCE_STATES, readState, shownState } from './availability.js';

it.each<[presence: unknown, exact: unknown, state: string | undefined, word?: string]>([
  ['online', undefined, 'online'],
  ['free_for_chat', undefined, 'free_for_chat'],
  ['busy', undefined, 'busy'],
  [BUSY_TODAY, undefined, 'busy'],
  ['unavailable', 'do_not_disturb', 'do_not_disturb'],
  ['com.example.dnd', undefined, 'do_not_disturb', 'com.example.dnd'],
  ['com.example.online', undefined, 'online', 'com.example.online'],
  ['online', 'com.example.lunch', 'online', 'com.example.lunch'],
  ['asleep', undefined, 'unavailable', 'asleep'],
  ['com.example.lunch', 7, 'unavailable', 'com.example.lunch'],
  ['invisible', undefined, 'hidden'],
  ['online', 'com.example.invisible', 'hidden'],
  ['com.example.Hidden', undefined, 'hidden'],
  [7, 'online', undefined],
  ['', undefined, undefined],
  ['on line', undefined, undefined],
  ['x'.repeat(65), undefined, undefined],
  ['constructor', undefined, 'unavailable', 'constructor'],
])('%s, exactly %s, is %s', (presence, exact, state, word) => {
  expect(readState(presence, exact)).toEqual(state === undefined ? undefined : { state, ...(word && { word }) });
});

it('each state is told to servers in a word of the specification, and read again as what it is', () => {
  fc.assert(
    fc.property(fc.constantFrom(...PRESENCE_STATES.filter((state) => state !== 'hidden')), (state) => {
      const told = shownState(state, false, 'servers');
      expect(DEVICE_STATES).toContain(told);
      expect(readState(told, told === state ? undefined : state)).toEqual({ state });
    }),
  );
});

it('nobody but themself, in the words of 2014/15, sees that somebody hides', () => {
  for (const form of ['today', 'v1', 'servers'] as const) expect(shownState('hidden', false, form)).toBe('offline');
  expect([shownState('hidden', true, 'v1'), shownState('hidden', true, 'today')]).toEqual(['hidden', 'offline']);
});
