import { beforeEach, describe, expect, it } from 'vitest';
import { START } from '#kernel/position';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { NewFact, ReadStreamOptions, RecordedFact } from './event-store.js';
import type { FactParts } from './fact-parts.js';
import { type FactShapes, inTodaysShape, UnknownSchema } from './fact-shapes.js';
import { sealFacts, verifyChain } from './seal-facts.js';
import { TodaysEventStore } from './todays-event-store.js';

/** Names were one text, then two, then two under another key. */
const SHAPES: FactShapes = {
  named: [
    ({ data }) => {
      const [first, last] = (JSON.parse(data) as { name: string }).name.split(' ');
      return { data: JSON.stringify({ first, last }) };
    },
    ({ data }) => {
      const head = '{"names":';
      return { data: `${head}${data}}`, erasable: head.length };
    },
  ],
  plain: [],
  part: [],
};
/** Lists may be told in parts: `more` says how many. */
const PARTS: FactParts = {
  count: ({ data }) => (data.startsWith('{"more":') ? (JSON.parse(data) as { more: number }).more : 0),
  join: ({ data }, parts) => {
    const list = parts.filter(({ type }) => type === 'part').map((part) => JSON.parse(part.data) as unknown);
    return list.length === (JSON.parse(data) as { more: number }).more ? { data: JSON.stringify({ list }) } : undefined;
  },
};
const TODAY = '{"names":{"first":"A","last":"B"}}';

const fact = (n: number, type: string, schema: number, data: string): NewFact =>
  sealFacts(undefined, [
    { id: `00000000-0000-5000-8000-00000000000${n}`, type, schema, data, at: 1, actor: 'server' },
  ])[0]!;
const OLD = [
  fact(1, 'named', 1, '{"name":"A B"}'),
  fact(2, 'named', 2, '{"first":"A","last":"B"}'),
  fact(3, 'named', 3, TODAY),
  fact(4, 'plain', 1, '{"n":1}'),
  fact(5, 'forgotten', 9, '{"old":1}'),
];

let log: MemoryEventStore;
let today: TodaysEventStore;
beforeEach(async () => {
  log = new MemoryEventStore();
  today = new TodaysEventStore(log, SHAPES, PARTS);
  await log.append('s', 'no-stream', OLD);
});

async function collect(batches: AsyncIterable<readonly RecordedFact[]>, most: number): Promise<string[]> {
  const read: string[] = [];
  for await (const batch of batches) {
    read.push(...batch.map(({ data }) => data));
    if (read.length >= most) break;
  }
  return read;
}

async function collectStream(facts: AsyncIterable<RecordedFact>): Promise<string[]> {
  const read: string[] = [];
  for await (const { data } of facts) read.push(data);
  return read;
}

describe('a log read today', () => {
  const expected = [TODAY, TODAY, TODAY, '{"n":1}', '{"old":1}'];

  it('has every fact in the newest shape of its type, whichever way it is read', async () => {
    const read: RecordedFact[] = [];
    for await (const each of today.readStream('s')) read.push(each);
    expect(read.map(({ data }) => data)).toEqual(expected);
    expect(read.map(({ metadata }) => metadata.schema)).toEqual([3, 3, 3, 1, 9]);
    expect(read.map(({ metadata }) => metadata.erasable)).toEqual([9, 9, undefined, undefined, undefined]);
    expect(await collect(today.readAll({ after: START }), 5)).toEqual(expected);
    const abort = new AbortController();
    expect(await collect(today.subscribe({ after: START, signal: abort.signal }), 5)).toEqual(expected);
    abort.abort();
  });

  it('has what was told in parts as one, whichever way it is read, but for who wants it as it was written', async () => {
    await log.append('s', 4, [fact(6, 'part', 1, '1'), fact(7, 'part', 1, '2'), fact(8, 'plain', 1, '{"more":2}')]);
    const dataOf = (options?: ReadStreamOptions) => collectStream(today.readStream('s', options));
    const whole = '{"list":[1,2]}';
    expect((await dataOf()).slice(5)).toEqual(['1', '2', whole]);
    expect(await dataOf({ backwards: true, limit: 2 })).toEqual([whole, '2']);
    expect(await dataOf({ from: 7 })).toEqual([whole]);
    expect(await dataOf({ from: 7, inParts: true })).toEqual(['{"more":2}']);
    expect((await collect(today.readAll({ after: START, batchSize: 1 }), 8)).at(-1)).toBe(whole);
    // Where they are not all there nobody is told that they are.
    await log.append('t', 'no-stream', [fact(6, 'part', 1, '1'), fact(8, 'plain', 1, '{"more":2}')]);
    const [, last] = await collectStream(today.readStream('t'));
    expect(last).toBe('{"more":2}');
  });

  it('leaves the log as it is: what is there was sealed', async () => {
    for await (const each of log.readStream('s')) expect(verifyChain(undefined, each)).toBe(true);
    expect(log.facts.map(({ data }) => data)).toEqual(OLD.map(({ data }) => data));
  });

  it('says of a fact that a newer version wrote what it is, and does not guess what it says', async () => {
    await log.append('s', 4, [fact(6, 'named', 4, '{"names":"A B"}')]);
    const reading = async (): Promise<void> => {
      for await (const each of today.readStream('s')) void each;
    };
    await expect(reading()).rejects.toThrow(UnknownSchema);
    await expect(collect(today.readAll({ after: START }), 9)).rejects.toThrow('"named" of schema 4');
    expect(() => inTodaysShape(fact(7, 'plain', 2, '{}'), SHAPES)).toThrow('schemas up to 1 are known');
    expect(() => inTodaysShape(fact(8, 'plain', 0, '{}'), SHAPES)).toThrow(UnknownSchema);
  });

  it('takes facts of known types in their newest schema, and no others', async () => {
    await today.append('s', 4, [fact(6, 'named', 3, TODAY)]);
    for (const wrong of [fact(7, 'named', 2, '{}'), fact(7, 'plain', 2, '{}'), fact(7, 'unheard-of', 1, '{}')]) {
      await expect(today.append('s', 5, [wrong])).rejects.toThrow('not among those that are written');
    }
    expect(log.facts).toHaveLength(6);
  });
});
