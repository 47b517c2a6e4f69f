import { writeSync } from 'node:fs';
import { openLmdbEventStore } from './lmdb-event-store.js';
import { openBesideWriter } from './open-beside-writer.js';

/*
 * Test support: opens the log in the directory that its first argument names again and again until it is killed, and prints a line each
 * time; or, with `hold`, is about to open it, prints a line, and comes to no end; or, with `block`, has come to one half a second later,
 * in which it has done nothing else.
 */
const [directory, mode] = process.argv.slice(2) as [string, string | undefined];
if (mode === 'block') {
  const open = (): void => {
    writeSync(1, 'held\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  };
  await openBesideWriter(directory, { open, close: async () => {} });
  process.exit();
}
if (mode === 'hold') {
  const never = new Promise<never>(() => setInterval(() => {}, 1000));
  const open = (): Promise<never> => {
    writeSync(1, 'held\n');
    return never;
  };
  await openBesideWriter(directory, { open, close: async () => {} });
}
for (;;) {
  const store = await openLmdbEventStore(directory, { readOnly: true });
  await store.close();
  writeSync(1, 'opened\n');
}
