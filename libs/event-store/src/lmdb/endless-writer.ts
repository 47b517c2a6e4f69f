import { writeSync } from 'node:fs';
import { factId } from '../fact-id.js';
import { sealFacts } from '../seal-facts.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

/*
 * Test support: appends to the log in the directory that is its argument until it is killed, and prints a line for each
 * append once it is acknowledged.
 */
const store = await openLmdbEventStore(process.argv[2]!);
await Promise.all(
  ['a', 'b', 'c', 'd'].map(async (stream) => {
    for (let n = 0; ; n++) {
      const id = factId(`${process.pid} ${stream} ${n}`);
      const data = JSON.stringify({ text: 'x'.repeat(n % 5000) });
      const facts = sealFacts(undefined, [{ id, type: 'written', data, at: n, actor: 'server' }]);
      const { position } = await store.append(`room-${process.pid}-${stream}`, n === 0 ? 'no-stream' : n - 1, facts);
      writeSync(1, `${id} ${position}\n`);
    }
  }),
);
