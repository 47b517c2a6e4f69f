import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Row, ScanOptions } from '#read-models/read-model-store';
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
