import { closeSync, openSync } from 'node:fs';
import { openRoot } from './open-root.js';

/*
 * Test support: opens the file of LMDB in the directory that its argument names while this process has as many files open as it may, then
 * with one less, and so on. Prints what it was told each time, until it was opened.
 */
const directory = process.argv[2]!;
const said: unknown[] = [];
const descriptors: number[] = [];
try {
  for (;;) descriptors.push(openSync('/dev/null', 'r'));
} catch {
  // There are no more.
}
while (said.at(-1) !== 'opened') {
  try {
    await openRoot({ path: directory }).close();
    said.push('opened');
  } catch (error) {
    said.push((error as NodeJS.ErrnoException).code);
    closeSync(descriptors.pop()!);
  }
}
process.stdout.write(JSON.stringify(said));
process.exit(0);
