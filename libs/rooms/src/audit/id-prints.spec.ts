import { expect, test } from 'vitest';
import type { EventId } from '#kernel/ids';
import { IdPrints } from './id-prints.js';

test('ids are known again, each counted once, and no others are', () => {
  const prints = new IdPrints();
  const ids = Array.from({ length: 5_000 }, (_, at) => `$event${at}` as EventId);
  for (const eventId of [...ids, ...ids]) prints.add(eventId);
  expect(prints.size).toBe(ids.length);
  expect(ids.filter((eventId) => !prints.has(eventId))).toEqual([]);
  expect(ids.filter((eventId) => prints.has(`${eventId}x` as EventId))).toEqual([]);
});
