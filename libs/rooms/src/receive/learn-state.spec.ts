import { expect, test } from 'vitest';
import type { EventId, ServerName } from '#kernel/ids';
import { trieOf } from '#protocol/state-trie/state-trie';
import { bytesOf } from './gather-state.js';
import { tellStateInParts } from './learn-state.js';

test.each([
  ['as in most rooms', (i: number) => `@user${i}:b.example`, 3],
  ['the longest there are', (i: number) => `${i}`.padEnd(255, 'x'), 9],
  ['written with six bytes for a character', (i: number) => `${i}`.padEnd(255, '\u0001'), 40],
  ['not of ASCII', (i: number) => `${i}`.padEnd(85, '語'), 10],
])('a state is told in parts of 100 KB at most, with keys %s', (_, keyOf, least) => {
  const entries = Array.from({ length: 2_500 }, (__, i) => {
    return { type: 'm.room.member', stateKey: keyOf(i), eventId: `$${String(i).padStart(43, 'x')}` as EventId };
  });
  const state = trieOf(entries);
  const longest = Math.max(...entries.map(bytesOf));
  const parts = [...tellStateInParts('$join' as EventId, 'b.example' as ServerName, state, longest)];
  expect(parts.length).toBeGreaterThanOrEqual(least);
  for (const part of parts) expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(110_000);
  expect(parts.map(({ part }) => part)).toEqual(parts.map((__, i) => i + 1));
  expect(parts.every((one) => one.parts === parts.length)).toBe(true);
  const told = parts.flatMap((one) => one.state.map(([type, stateKey, eventId]) => ({ type, stateKey, eventId })));
  expect(trieOf(told).rootHash).toBe(state.rootHash);
});
