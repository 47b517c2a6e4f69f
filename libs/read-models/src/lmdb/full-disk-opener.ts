import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { messageOf } from '#kernel/message-of';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

/*
 * Test support: opens a log and views on the disk that its first argument lies on, while that is full and when it is not: for the
 * first time, as they are where somebody has put back their files alone, and where nothing but their lock files is there. The second is the program that looks for damage.
 */
const [folder, damageProgram] = process.argv.slice(2) as [string, string];
const ballast = join(folder, 'ballast');
const said: string[] = [];

async function openLog(): Promise<string> {
  const store = await openLmdbEventStore(join(folder, 'log'), { damageProgram });
  await store.close();
  return 'opened';
}

async function openViews(): Promise<string> {
  const views = await openLmdbReadModels(join(folder, 'views'), { log: () => {}, damageProgram });
  const value = await views.get('rows', ['a']);
  await views.write([{ collection: 'rows', key: ['a'], value: 'kept' }]);
  await views.close();
  return value ?? 'empty';
}

async function openAll(): Promise<void> {
  for (const open of [openLog, openViews]) said.push(await open().catch(messageOf));
}

async function openFullThenNot(): Promise<void> {
  try {
    writeFileSync(ballast, Buffer.alloc(16 * 1024 * 1024));
  } catch {
    // Now it is full.
  }
  await openAll();
  rmSync(ballast);
  await openAll();
}

for (const name of ['log', 'views']) mkdirSync(join(folder, name));
await openFullThenNot();
for (const gone of ['lock.mdb', 'data.mdb']) {
  for (const name of ['log', 'views']) for (const file of [gone, 'last-end.json']) rmSync(join(folder, name, file));
  await openFullThenNot();
}
process.stdout.write(JSON.stringify(said));
process.exit(0);
