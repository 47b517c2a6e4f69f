import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

/*
 * Test support: fills the disk that its argument lies on, with views and a file beside them, then takes the file away and goes
 * on. Prints what it saw.
 */
const folder = process.argv[2]!;
const said: string[] = [];
const store = await openLmdbReadModels(join(folder, 'views'), {
  onLost: () => void said.push('lost'),
  onBack: () => void said.push('back'),
});
const ballast = join(folder, 'ballast');
writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024));
const errors: string[] = [];
let written = 0;
while (errors.length < 3) {
  // Into a collection that is there, and into one that has to be made.
  await store.write([
    { collection: errors.length === 0 ? 'a' : 'b', key: [String(written++)], value: 'x'.repeat(50_000) },
  ]);
  await store.flush().catch((error: Error) => errors.push(error.name));
}
const failure = store.failure?.name;
rmSync(ballast);
await store.flush();
const kept = (await store.scan('a', { limit: 1000 })).length + (await store.scan('b', { limit: 1000 })).length;
process.stdout.write(JSON.stringify({ errors, failure, said, isWhole: kept === written }));
process.exit(0);
