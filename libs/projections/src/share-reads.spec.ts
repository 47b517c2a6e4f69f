import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import { sealFacts } from '#event-store/seal-facts';
import { START } from '#kernel/position';
import { MemoryEventStore } from '#testing/memory-event-store';
import { shareReads } from './share-reads.js';

let store: MemoryEventStore;
let reads: number;
let shared: EventStore;

beforeEach(async () => {
  store = new MemoryEventStore();
  await append('no-stream', 100);
  reads = 0;
  const readAll = store.readAll.bind(store);
  store.readAll = (options) => {
    reads++;
    return readAll(options);
  };
  shared = shareReads(store);
});

async function append(expected: number | 'no-stream', facts: number): Promise<void> {
  const draft = { type: 'said', data: '{}', at: 1, actor: 'server' };
  await store.append(
    's',
    expected,
    sealFacts(
      undefined,
      Array.from({ length: facts }, () => ({ ...draft, id: randomUUID() })),
    ),
  );
}

async function collect(batchSize: number): Promise<RecordedFact[]> {
  const facts: RecordedFact[] = [];
  for await (const batch of shared.readAll({ after: START, batchSize })) facts.push(...batch);
  return facts;
}

test('readers side by side get the very same facts, read once', async () => {
  const all = await Promise.all([collect(10), collect(10), collect(10)]);
  for (const facts of all) {
    expect(facts).toHaveLength(100);
    facts.forEach((fact, i) => expect(fact).toBe(all[0]![i]));
  }
  expect(reads).toBe(1);
});

test('a reader that is far behind reads for itself', async () => {
  await collect(1);
  const before = reads;
  expect(await collect(1)).toEqual(store.facts);
  expect(reads).toBe(before + 1);
});

test('what was appended meanwhile is read the next time', async () => {
  await collect(1000);
  await append(99, 5);
  expect(await collect(1000)).toHaveLength(105);
});

test('a reading that failed is tried again', async () => {
  let broken = true;
  const { readAll } = store;
  store.readAll = async function* (options) {
    if (broken) throw new Error('broken');
    yield* readAll(options);
  };
  const failing = shareReads(store);
  const read = async (): Promise<number> => {
    let facts = 0;
    for await (const batch of failing.readAll({ after: START })) facts += batch.length;
    return facts;
  };
  await expect(read()).rejects.toThrow('broken');
  broken = false;
  expect(await read()).toBe(100);
});
