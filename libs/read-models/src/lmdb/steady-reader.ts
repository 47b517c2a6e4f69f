import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

/*
 * Test support: reads all rows of `rows` of the views in a directory again and again, or with `anew` opens them each time, and prints what they
 * all begin with, which has to be one number, or what is wrong.
 */
const [directory, mode] = process.argv.slice(2) as [string, string | undefined];
const open = () => openLmdbReadModels(directory, { readOnly: true });
let store = await open();
for (;;) {
  const rows = await store.scan('rows', { limit: 10_000 });
  const numbers = new Set(rows.map(({ value }) => value.slice(0, value.indexOf(':'))));
  const isWhole = rows.every(({ value }) => value.endsWith('.'));
  writeSync(
    1,
    isWhole && numbers.size === 1 ? `${[...numbers][0]}\n` : `${rows.length} rows of ${[...numbers].join()}\n`,
  );
  if (mode === 'anew') {
    await store.close();
    store = await open();
  }
  await delay(1);
}
