import { expect, it } from 'vitest';
import { isBetter } from './better-session.js';

const key = (verified: boolean, first: number, forwarded: number) => ({
  is_verified: verified,
  first_message_index: first,
  forwarded_count: forwarded,
});

it.each([
  ['a verified one', key(true, 9, 9), key(false, 0, 0), true],
  ['one that is not verified', key(false, 0, 0), key(true, 9, 9), false],
  ['one that begins earlier', key(true, 1, 9), key(true, 2, 0), true],
  ['one that begins later', key(false, 2, 0), key(false, 1, 9), false],
  ['one that was forwarded less often', key(true, 1, 1), key(true, 1, 2), true],
  ['one that was forwarded more often', key(true, 1, 2), key(true, 1, 1), false],
  ['the like', key(true, 1, 1), key(true, 1, 1), false],
])('%s takes the place of a key, or does not', (_, uploaded, there, isTaken) => {
  expect(isBetter(uploaded, there)).toBe(isTaken);
});
