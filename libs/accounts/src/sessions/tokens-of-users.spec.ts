import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { TokensOfUsers } from './tokens-of-users.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId];

function remembering(capacity = 10): TokensOfUsers<string> {
  const tokens = new TokensOfUsers<string>(capacity);
  tokens.remember('one', ALICE, 'of the phone', tokens.epoch);
  tokens.remember('two', ALICE, 'of the laptop', tokens.epoch);
  tokens.remember('three', BOB, 'of Bob', tokens.epoch);
  return tokens;
}

it('all tokens of a user are forgotten at once, and nobody else’s', () => {
  const tokens = remembering();
  expect(tokens.listOf(ALICE)).toEqual(['of the phone', 'of the laptop']);
  tokens.forget(ALICE);
  expect(['one', 'two', 'three'].map((hash) => tokens.get(hash))).toEqual([undefined, undefined, 'of Bob']);
  expect([tokens.listOf(ALICE), tokens.listOf(BOB)]).toEqual([[], ['of Bob']]);
});

it('what was read before anything was forgotten is not remembered', () => {
  const tokens = remembering();
  const { epoch } = tokens;
  tokens.forget(ALICE);
  tokens.remember('one', ALICE, 'of before', epoch);
  expect(tokens.get('one')).toBeUndefined();
  tokens.remember('one', ALICE, 'of now', tokens.epoch);
  expect(tokens.get('one')).toBe('of now');
});

it('more users than tokens it may hold are not kept in mind: it begins anew', () => {
  const tokens = remembering(1);
  tokens.remember('four', '@carol:a.example' as UserId, 'of Carol', tokens.epoch);
  expect(['one', 'two', 'three', 'four'].map((hash) => tokens.get(hash)).at(-1)).toBe('of Carol');
  expect(tokens.listOf(ALICE)).toEqual([]);
  // The index of those before is gone with them.
  expect([tokens.listOf(BOB), tokens.numbers.size]).toEqual([[], 1]);
});
