import { type Db, MongoServerError } from 'mongodb';
import { expect, it } from 'vitest';
import { ViewsTaken } from '../read-model-errors.js';
import type { LargeValues } from './large-values.js';
import { RowWriter } from './write-rows.js';

/** What writes to a database that meets rows which are there already so many times; and how often it was asked to write. */
function writerTo(duplicates: number): { writer: RowWriter; tries: () => number } {
  let tries = 0;
  const bulkWrite = async (): Promise<void> => {
    if (tries++ < duplicates) throw new MongoServerError({ code: 11_000, message: 'E11000 duplicate key' });
  };
  const database = { collection: () => ({ bulkWrite }) } as unknown as Db;
  const large = { named: async () => [], remove: async () => {} } as unknown as LargeValues;
  const journal = { groups: 7, whyGone: async () => new ViewsTaken() };
  return { writer: new RowWriter(database, large, journal, () => {}), tries: () => tries };
}

const group = new Map([['a', [['1', { v: 'one' }]] as const]]);

it('puts a row once more that a command has put in the same moment which was given up', async () => {
  const { writer, tries } = writerTo(1);
  await writer.write(group);
  expect(tries()).toBe(2);
});

it('has lost its lease where a later group has written the row', async () => {
  await expect(writerTo(Infinity).writer.write(group)).rejects.toThrow(ViewsTaken);
});
