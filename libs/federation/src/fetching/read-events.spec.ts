import { describe, expect, it } from 'vitest';
import { PeerUnavailable } from '#kernel/peer-errors';
import { readEvents } from './read-events.js';

const lists = (bytes: number): string => `[${'[],'.repeat(bytes / 3 - 1)}[]]`;
const answer = (...events: readonly string[]): Uint8Array => Buffer.from(`{"events":[${events.join(',')}],"x":[]}`);

describe('the events of an answer', () => {
  it('are read where each is as large as it may be, with as many values as fit', async () => {
    const event = `{"a":${lists(65_000)},"n":1.50}`;
    expect(await readEvents(answer(...Array<string>(100).fill(event)), 'events', 100)).toHaveLength(100);
  });

  it('are read but for those that have more values than any, are too deep, or no objects; and some at most', async () => {
    const bad = [`{"a":${lists(120_000)}}`, `${'['.repeat(2_000)}${']'.repeat(2_000)}`, '{"a":1,"a":1}', '7', 'null'];
    const read = await readEvents(answer('{"a":1}', ...bad, '{"a":2}', '{"a":3}'), 'events', 2);
    expect(read).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it('are none where there is no list, and no answer where nothing can be read', async () => {
    expect(await readEvents(answer(), 'pdus', 10)).toBeUndefined();
    await expect(readEvents(Buffer.from('no'), 'events', 10)).rejects.toBeInstanceOf(PeerUnavailable);
  });
});
