import { writeSync } from 'node:fs';
import { systemClock } from '#kernel/clock';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { countsProjector, said, wordsProjector } from './example-projectors.js';
import { ProjectionRuntime } from './projection-runtime.js';

/*
 * Test support: appends facts to the log in its argument's folder and projects them, until it is killed. Prints the position
 * of each fact once both are done. With a second argument it also rebuilds, again and again.
 */
const [, , folder, rebuilding] = process.argv;
const store = await openLmdbEventStore(`${folder}/log`);
const readModels = openLmdbReadModels(`${folder}/views`);
const projectors = [wordsProjector(), countsProjector()];
const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
await runtime.start();
if (rebuilding !== undefined) {
  setInterval(() => void runtime.rebuild('words').catch(() => {}), 200);
  setInterval(() => void runtime.rebuild('counts').catch(() => {}), 300);
}
for (let n = 0; ; n++) {
  const facts = Array.from({ length: 1 + (n % 7) }, (_, i) => said(`word ${(n * i) % 97}`));
  const { position } = await store.append(`s-${process.pid}-${n}`, 'no-stream', facts);
  await runtime.whenProcessed(position);
  writeSync(1, `${position}\n`);
}
