import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { messageOf } from '#kernel/message-of';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

/* Test support: opens a log and views for the first time, on the disk that its argument lies on: while that is full, and when it is not. */
const folder = process.argv[2]!;
const ballast = join(folder, 'ballast');
const opens = [
  async () => (await openLmdbEventStore(join(folder, 'log'))).close(),
  async () => openLmdbReadModels(join(folder, 'views'), { log: () => {} }).close(),
];
const said: string[] = [];
async function openAll(): Promise<void> {
  for (const open of opens) said.push(await open().then(() => 'opened', messageOf));
}

for (const name of ['log', 'views']) mkdirSync(join(folder, name));
try {
  writeFileSync(ballast, Buffer.alloc(16 * 1024 * 1024));
} catch {
  // Now it is full.
}
await openAll();
rmSync(ballast);
await openAll();
process.stdout.write(JSON.stringify(said));
process.exit(0);
