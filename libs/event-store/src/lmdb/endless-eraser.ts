import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { sealFacts } from '../seal-facts.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

/*
 * Test support: appends facts to the log in the directory that is its argument and erases them, until it is killed. Prints the
 * revision of each that was erased once that is acknowledged.
 */
const [directory, mark] = process.argv.slice(2);
const store = await openLmdbEventStore(directory!);
let chain: string | undefined;
for (let revision = 0; ; revision++) {
  const head = `{"n":${revision},"text":`;
  const data = `${head}${JSON.stringify(`${mark} `.repeat(1 + (revision % 500)))}}`;
  const draft = { id: randomUUID(), type: 'said', data, erasable: head.length, at: revision, actor: 'server' };
  const facts = sealFacts(chain, [draft]);
  chain = facts[0]!.metadata.chain;
  await store.append('room', revision === 0 ? 'no-stream' : revision - 1, facts);
  void store.erase('room', revision, 'null}').then(() => writeSync(1, `${revision}\n`));
}
