import { writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/*
 * Test support: writes to the read models that its argument names (a URL of MongoDB or a directory) until it is killed or
 * told to exit, and prints the number of each round once it is written. A round puts rows into three collections, and its number last.
 */
const where = process.argv[2]!;
process.on('SIGTERM', () => process.exit(0));
const store = where.startsWith('mongodb')
  ? await (await import('./mongodb/mongodb-read-model-store.js')).openMongoReadModels(where)
  : await (await import('./lmdb/lmdb-read-model-store.js')).openLmdbReadModels(where);

if (!(await store.takeLease())) throw new Error('another process writes');

for (let round = 1; ; round++) {
  const value = `${round}:${'x'.repeat((round * 37) % 3000)}`;
  const writes = Array.from({ length: 1 + (round % 50) }, (_, i) => ({
    collection: ['a', 'b', 'c'][i % 3]!,
    key: [String(round).padStart(8, '0'), String(i)],
    value,
  }));
  await store.write([
    ...writes,
    { collection: 'latest', key: ['row'], value },
    { collection: 'checkpoint', key: ['round'], value: String(round) },
  ]);
  writeSync(1, `${round}\n`);
  await nextTurn();
}
