import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Key, Row, ScanOptions } from '#read-models/read-model-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { BatchRows } from './batch-rows.js';

const ROWS = 'rows';

/** Rows that were stored before, and how many a scan has asked for. */
class CountedRows extends MemoryReadModels {
  asked = 0;

  override scan(collection: string, options: ScanOptions): Promise<Row[]> {
    this.asked += options.limit;
    return super.scan(collection, options);
  }
}

test('rows at hand are answered at once, with what the batch wrote upon them', () => {
  const stored: Row[] = [
    { key: ['k', '1'], value: 'one' },
    { key: ['k', '3'], value: 'three' },
  ];
  const atHand = {
    get: (_: string, key: Key) => stored.find((row) => row.key[1] === key[1])?.value,
    scan: () => stored,
  };
  const batch = new BatchRows(Object.assign(new MemoryReadModels(), { atHand }), new Map([[ROWS, ROWS]]));
  batch.put(ROWS, ['k', '2'], 'two');
  batch.delete(ROWS, ['k', '3']);
  expect(['1', '2', '3'].map((part) => batch.get(ROWS, ['k', part]))).toEqual(['one', 'two', undefined]);
  expect(batch.scan(ROWS, { prefix: ['k'], limit: 5 })).toEqual([stored[0], { key: ['k', '2'], value: 'two' }]);
});

test('a row that each fact writes anew is written once, and what a fact wrote that could not be projected is as it was', async () => {
  const batch = new BatchRows(new MemoryReadModels(), new Map([[ROWS, ROWS]]));
  const say = async (...spoken: string[]): Promise<void> => {
    batch.begin();
    for (const word of spoken) batch.put(ROWS, ['all'], `${(await batch.get(ROWS, ['all'])) ?? ''}${word}`);
  };
  await say('a');
  await say('b', 'c');
  await say('d', 'e');
  batch.put(ROWS, ['other'], 'f');
  batch.undo();
  expect(await batch.get(ROWS, ['all'])).toBe('abc');
  await say('g');
  expect(batch.writes.map(({ key, value }) => [key, value])).toEqual([[['all'], 'abcg']]);
});

const change = fc.record({ key: fc.nat(12), value: fc.option(fc.nat(9)) });
const changes = fc.array(change, { maxLength: 20 });

test('a scan finds what it would if the writes of the batch were stored, and reads no more rows for those that add some', async () => {
  await fc.assert(
    fc.asyncProperty(
      changes,
      changes,
      fc.boolean(),
      fc.integer({ min: 1, max: 5 }),
      async (before, later, reverse, limit) => {
        const writesOf = (list: typeof before) =>
          list.map(({ key, value }) => ({
            collection: ROWS,
            key: ['k', String(key).padStart(2, '0')],
            value: value === null ? null : `${value}`,
          }));
        const [store, whole] = [new CountedRows(), new MemoryReadModels()];
        await store.write(writesOf(before));
        await whole.write([...writesOf(before), ...writesOf(later)]);
        const batch = new BatchRows(store, new Map([[ROWS, ROWS]]));
        for (const { key, value } of writesOf(later)) {
          if (value === null) batch.delete(ROWS, key);
          else batch.put(ROWS, key, value);
        }
        const options = { prefix: ['k'], reverse, limit };
        expect(await batch.scan(ROWS, options)).toEqual(await whole.scan(ROWS, options));
        const last = new Map(later.map(({ key, value }) => [key, value]));
        expect(store.asked).toBe(limit + [...last.values()].filter((value) => value === null).length);
      },
    ),
  );
});
