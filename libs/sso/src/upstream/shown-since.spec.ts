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
