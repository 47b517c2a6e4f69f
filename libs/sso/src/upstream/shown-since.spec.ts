import { expect, it } from 'vitest';
import { shownSince } from './shown-since.js';

it.each([
  ['no time', undefined, 5_000],
  ['no time that is one', '7', 5_000],
  ['a session of long before', 1, 5_000],
  ['a log-in since', 7, 7_000],
  ['a time to come', 20, 9_000],
])('who comes back with %s has shown who they are since then', (_, auth_time, since) => {
  expect(shownSince({ auth_time }, { begunAt: 5_000, backAt: 9_000 })).toBe(since);
});

it.each([
  ['a session of half a minute before', 50, 80, 5_000],
  ['a log-in of a second or two ago', 79, 80, 7_000],
  ['one of just now', 80, 80, 8_000],
])('the clock of a provider may be ahead: %s counts from when it was', (_, auth_time, iat, since) => {
  expect(shownSince({ auth_time, iat }, { begunAt: 5_000, backAt: 9_000 })).toBe(since);
});

it('and one may say that it spoke before: then its log-in counts from when it says that it was', () => {
  expect(shownSince({ auth_time: 7, iat: -293 }, { begunAt: 5_000, backAt: 9_000 })).toBe(7_000);
});
