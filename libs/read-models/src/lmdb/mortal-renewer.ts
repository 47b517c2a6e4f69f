import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { writeSync } from 'node:fs';
import { openLmdbReadModels } from './lmdb-read-model-store.js';

/*
 * Test support: writes to the views in the directory that its first argument names, and renews them meanwhile; the second is the program that
 * copies. Kills itself before the step of that number that the renewal takes on the disk, and prints what it did last before that, or `renewed`.
 */
const [directory, copyProgram, lastStep] = process.argv.slice(2) as [string, string, string];
const store = await openLmdbReadModels(directory, { copyProgram, log: () => {} });
let steps = -1;

/** Has the calls of functions that change what is on the disk counted. */
function count(functions: object, names: readonly string[]): void {
  const own = functions as Record<string, (...parameters: unknown[]) => unknown>;
  for (const name of names) {
    const call = own[name]!;
    own[name] = (...parameters) => {
      if (steps >= 0 && String(parameters[0]).startsWith(directory)) {
        if (++steps === Number(lastStep)) process.kill(process.pid, 'SIGKILL');
        writeSync(1, `${name} ${String(parameters[0]).slice(directory.length)}\n`);
      }
      return call.call(functions, ...parameters);
    };
  }
}

count(fs, ['renameSync', 'writeFileSync', 'linkSync', 'rmSync']);
count(fs.promises, ['mkdir', 'rm', 'open']);
syncBuiltinESMExports();

let round = Number((await store.get('checkpoint', ['round'])) ?? '0');
async function write(): Promise<void> {
  round++;
  const rows = Array.from({ length: 100 }, (_, i) => ({
    collection: `rows-${i % 5}`,
    key: [String(i)],
    value: i % 10 === round % 10 ? null : `${round} ${'x'.repeat((round * i) % 2000)}`,
  }));
  await store.write([...rows, { collection: 'checkpoint', key: ['round'], value: String(round) }]);
}

while (round < 20) await write();
await store.flush();
steps = 0;
const renewed = new AbortController();
const renewal = store.renew!().then(() => renewed.abort());
while (!renewed.signal.aborted) {
  await write();
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await renewal;
await write();
await store.flush();
writeSync(1, 'renewed\n');
process.kill(process.pid, 'SIGKILL');
