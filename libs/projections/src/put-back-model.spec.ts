import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Appended, EventStore } from '#event-store/event-store';
import { nameLog, noteRestored } from '#event-store/log-identity';
import { sealFacts } from '#event-store/seal-facts';
import type { ServerName } from '#kernel/ids';
import { START } from '#kernel/position';
import { Disk, MortalStores } from '#testing/mortal-stores';
import { countsProjector, forgettingProjector } from './example-projectors.js';
import { ProjectionRuntime } from './projection-runtime.js';
import { readOwnedState } from './whose-views.js';

const clock = { now: () => 7 };
const WORDS = 'words';

/** What is done while a process runs; and with what it leaves on the disk. */
interface Life {
  readonly version: number;
  /** After so many writes it is killed; undefined: it is stopped. */
  readonly dies: number | undefined;
  readonly steps: readonly { readonly does: 'say' | 'unsay' | 'rebuild' | 'cancel'; readonly n: number }[];
  readonly after: 'goes on' | 'views' | 'log' | 'both' | 'no views';
  readonly copy: number;
}

const life: fc.Arbitrary<Life> = fc.record({
  version: fc.constantFrom(1, 1, 1, 2),
  dies: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
  steps: fc.array(
    fc.record({ does: fc.constantFrom('say', 'say', 'unsay', 'unsay', 'rebuild', 'cancel'), n: fc.nat() }),
    { maxLength: 10, size: 'max' },
  ),
  after: fc.constantFrom('goes on', 'goes on', 'views', 'views', 'log', 'both', 'no views'),
  copy: fc.nat(),
});

async function write(store: EventStore, stream: string, type: string, word: string): Promise<Appended> {
  let before: { revision: number; chain: string } | undefined;
  for await (const { revision, metadata } of store.readStream(stream, { backwards: true, limit: 1 }))
    before = { revision, chain: metadata.chain };
  const draft = { id: randomUUID(), type, data: JSON.stringify({ word }), at: 1, actor: 'server' };
  return store.append(stream, before?.revision ?? 'no-stream', sealFacts(before?.chain, [draft]));
}

/** As those do who have the log forget something: what was said goes at once, and that it was taken back once the views have that. */
async function unsay(store: EventStore, runtime: ProjectionRuntime, word: string): Promise<void> {
  for await (const { type } of store.readStream(word, { limit: 1 })) if (type !== 'said') return;
  const { revision, position } = await write(store, word, 'unsaid', word);
  await store.truncate(word, revision);
  await runtime.whenKept(position, [WORDS]);
  await store.truncate(word, (await write(store, word, 'unsaid', 'nothing')).revision);
}

/** The words that the log says were said, and not taken back. */
async function saidIn(store: EventStore): Promise<string[]> {
  const said = new Set<string>();
  for await (const facts of store.readAll({ after: START })) {
    for (const { type, stream } of facts) {
      if (type === 'said') said.add(stream);
      if (type === 'unsaid') said.delete(stream);
    }
  }
  return [...said].toSorted();
}

/** Settles once nothing more is filled; answers whether what serves is to have all then. */
async function untilFilled(runtime: ProjectionRuntime, stores: MortalStores): Promise<boolean> {
  while (!stores.hasEnded) {
    const { next, serving } = await runtime.operations.status(WORDS);
    if (next === undefined || next.state !== 'filling') return serving.behind.amount === 0;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return false;
}

/** One process on a disk: what is said and taken back is there, and no more, once it has begun. */
async function live(disk: Disk, { version, dies, steps }: Life, words: string[]): Promise<void> {
  const stores = new MortalStores(disk);
  const { store, readModels } = stores;
  if (dies !== undefined) stores.endAfter(dies);
  const projectors = [forgettingProjector({ version }), countsProjector()];
  const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock });
  const work = async (): Promise<void> => {
    // As `notePutBack` does.
    const { putBackTo } = await readOwnedState(store, readModels);
    if (putBackTo !== undefined) await noteRestored(store, clock, putBackTo);
    await runtime.start();
    if (await untilFilled(runtime, stores)) {
      const { serving } = await runtime.operations.status(WORDS);
      const rows = await runtime.scan(WORDS, { limit: 1_000 });
      const wanted = (await saidIn(store)).map((word) => (serving.version === 1 ? word : `${word}/${serving.version}`));
      expect(rows.map(({ value }) => value).toSorted()).toEqual(wanted);
    }
    for (const { does, n } of steps) {
      if (does === 'say') {
        const word = `word ${words.length}`;
        words.push(word);
        await runtime.whenProcessed((await write(store, word, 'said', word)).position);
      } else if (does === 'unsay' && words.length > 0) {
        void unsay(store, runtime, words[n % words.length]!).catch(() => {}); // where the process stops meanwhile
        await new Promise(setImmediate);
      } else if (does === 'rebuild' || does === 'cancel') await runtime.operations[does](WORDS).catch(() => {}); // where it makes no sense now
    }
    await runtime.stop();
  };
  await Promise.race([work(), stores.ended]);
  stores.end();
  void runtime.stop();
}

/** Puts copies in the place of what a process has left. Those that were made after that are of what is lost. */
async function putBack(disk: Disk, copies: Disk[], { after, copy }: Life): Promise<Disk> {
  if (after === 'goes on') return disk;
  if (after === 'no views') return disk.copy({ withoutViews: true });
  const older = await copies[copy % copies.length]!.copy();
  if (after === 'views') return older.with(disk.log);
  copies.splice((copy % copies.length) + 1);
  return after === 'both' ? older : disk.with(older.log);
}

it('views have what the log has, and nothing that it has forgotten, however they and it are killed, put back, and filled anew', async () => {
  const lives = fc.asyncProperty(fc.array(life, { minLength: 2, maxLength: 10, size: 'max' }), async (all) => {
    let disk = Disk.empty();
    await nameLog(disk.log, clock, 'a.example' as ServerName, { key_id: 'ed25519:a', public_key: 'AAAA' });
    const words: string[] = [];
    const copies: Disk[] = [];
    for (const each of all) {
      await live(disk, each, words);
      disk = await disk.copy();
      copies.push(await disk.copy());
      disk = await putBack(disk, copies, each);
    }
  });
  await fc.assert(lives, { numRuns: 200 });
});
