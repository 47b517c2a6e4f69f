import { describe, expect, it } from 'vitest';
import { factId } from '#event-store/fact-id';
import { MatrixError } from '#kernel/matrix-error';
import { given, type Decider } from './given.js';

const door: Decider<string, string> = {
  initialState: 'shut',
  evolve: (_, fact) => (JSON.parse(fact.data) as { state: string }).state,
  decide: (state, command, exists) => {
    if (!exists) throw new MatrixError('M_NOT_FOUND');
    if (state === command) return [];
    return [{ id: factId(command), type: 'door-moved', data: JSON.stringify({ state: command }) }];
  },
};
const moved = (state: string) => ({ type: 'door-moved', data: { state } });

describe('given', () => {
  it('folds the facts, decides, compares', () => {
    given(door, [moved('open')])
      .when('shut')
      .then([moved('shut')]);
    given(door, [moved('open'), moved('shut')])
      .when('shut')
      .then([]);
    given(door, []).when('shut').thenRefused('M_NOT_FOUND');
  });

  it('fails where the outcome is another', () => {
    expect(() =>
      given(door, [moved('open')])
        .when('shut')
        .then([]),
    ).toThrow();
    expect(() => given(door, []).when('shut').thenRefused('M_FORBIDDEN')).toThrow();
    expect(() =>
      given(door, [moved('open')])
        .when('shut')
        .thenRefused('M_NOT_FOUND'),
    ).toThrow();
  });
});
