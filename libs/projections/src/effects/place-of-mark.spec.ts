import { expect, it } from 'vitest';
import { sealFacts } from '#event-store/seal-facts';
import type { Position } from '#kernel/position';
import { MemoryEventStore } from '#testing/memory-event-store';
import { placeOfMark } from './place-of-mark.js';

const NOON = 1_700_000_000_000;
const MINUTE = 60_000;

it('passes over nothing in a copy that lacks the fact it goes by, which a process had written whose clock was ahead', async () => {
  const copy = new MemoryEventStore();
  const write = async (stream: string, at: number): Promise<Position> => {
    const [fact] = sealFacts(undefined, [{ id: stream, type: 'said', data: '""', at, actor: 'server' }]);
    return (await copy.append(stream, 'no-stream', [fact!])).position;
  };
  const long = await write('long-before', NOON - 120 * MINUTE);
  // Here stood the fact, written at noon by its process, where it was five to twelve by the others' clocks.
  await write('after', NOON - 4 * MINUTE);
  await write('later', NOON + MINUTE);
  const mark = { log_id: 'the first', stream: 'gone', revision: 3, position: long, at: NOON };
  expect(await placeOfMark(copy, 'the copy', mark)).toBe(long);
});
