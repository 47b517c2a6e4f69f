import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

/** Test support: has views renewed on a disk that is too small for that, and prints what it saw. The second argument is the program that copies. */
const [folder, copyProgram] = process.argv.slice(2) as [string, string];
const said: string[] = [];
const store = await openLmdbReadModels(join(folder, 'views'), {
  copyProgram,
  onLost: () => void said.push('lost'),
  onBack: () => void said.push('back'),
});
const rows = (from: number) =>
  Array.from({ length: 50 }, (_, n) => ({ collection: 'a', key: [String(from + n)], value: 'x'.repeat(10_000) }));
await store.write(rows(0));
const error = await store.renew!().then(
  () => new Error('renewed'),
  (reason: unknown) => reason as Error,
);
await store.write(rows(50));
await store.flush();
const kept = (await store.scan('a', { limit: 1000 })).length;
const names = readdirSync(join(folder, 'views')).filter((name) => name.startsWith('renew'));
process.stdout.write(JSON.stringify({ name: error.name, message: error.message, said, rows: kept, names }));
process.exit(0);
