import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { START } from '#kernel/position';
import { factId } from '../fact-id.js';
import { sealFacts } from '../seal-facts.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

/*
 * Test support: fills the disk that its argument lies on, with a log and a file beside it, then takes the file away and goes
 * on. Prints what it saw.
 */
const folder = process.argv[2]!;
const said: string[] = [];
const store = await openLmdbEventStore(join(folder, 'log'), {
  onLost: () => void said.push('lost'),
  onBack: () => void said.push('back'),
});
const append = (n: number): Promise<unknown> => {
  const fact = {
    id: factId(`fact ${n}`),
    type: 'written',
    data: JSON.stringify('x'.repeat(50_000)),
    at: n,
    actor: 'server',
  };
  return store.append(`room-${n}`, 'no-stream', sealFacts(undefined, [fact]));
};
const ballast = join(folder, 'ballast');
writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024));
const errors: string[] = [];
let appended = 0;
while (errors.length < 3) {
  await append(appended + errors.length).then(
    () => appended++,
    (error: Error) => errors.push(error.name),
  );
}
rmSync(ballast);
await append(1_000_000);
let kept = 0;
for await (const facts of store.readAll({ after: START })) kept += facts.length;
process.stdout.write(JSON.stringify({ errors, said, isWhole: kept === appended + 1 }));
process.exit(0);
