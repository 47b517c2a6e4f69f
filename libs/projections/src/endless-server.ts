import { writeSync } from 'node:fs';
import { openKurrentEventStore } from '#event-store/kurrentdb/kurrentdb-event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { systemClock } from '#kernel/clock';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { openMongoReadModels } from '#read-models/mongodb/mongodb-read-model-store';
import { countsProjector, said, wordsProjector } from './example-projectors.js';
import { ProjectionRuntime } from './projection-runtime.js';

/*
 * Test support: appends facts to the log that its first argument names and projects them into the views that its second one
 * names (folders, or URLs of servers), until it is killed. Prints the position of each fact once both are done, and whether it
 * writes the views. With a third argument it also rebuilds, or pauses and resumes, again and again. Ends where its lease is lost.
 */
const [, , log, views, steering] = process.argv as string[] as [string, string, string, string, string?];
const store = log.includes('://') ? await openKurrentEventStore(log) : await openLmdbEventStore(log);
const onGone = (error: Error): void => {
  writeSync(1, `${error.name}\n`);
  process.exit(1);
};
const readModels = views.includes('://')
  ? await openMongoReadModels(views, { onGone })
  : await openLmdbReadModels(views);
const projectors = [wordsProjector(), countsProjector()];
const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
await runtime.start();
if (steering === 'rebuilding') {
  setInterval(() => void runtime.operations.rebuild('words').catch(() => {}), 200);
  setInterval(() => void runtime.operations.rebuild('counts').catch(() => {}), 300);
}
if (steering === 'pausing') {
  // As several operators do at once.
  setInterval(() => void runtime.operations.pause('words', 'looks wrong').catch(() => {}), 110);
  for (const each of [50, 70]) setInterval(() => void runtime.operations.resume('words').catch(() => {}), each);
}
for (let n = 0; ; n++) {
  const facts = Array.from({ length: 1 + (n % 7) }, (_, i) => said(`word ${(n * i) % 97}`));
  const { position } = await store.append(`s-${process.pid}-${n}`, 'no-stream', facts);
  await runtime.whenProcessed(position);
  writeSync(1, `${position} ${runtime.isWriter}\n`);
}
