import { randomBytes, randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Appended, EventStore } from '#event-store/event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { nameLog, noteRestored } from '#event-store/log-identity';
import { sealFacts } from '#event-store/seal-facts';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { START } from '#kernel/position';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { openMongoReadModels } from '#read-models/mongodb/mongodb-read-model-store';
import type { ReadModelStore, Row } from '#read-models/read-model-store';
import { withLease } from '#testing/with-lease';
import { countsProjector, forgettingProjector, wordsProjector } from './example-projectors.js';
import { ProjectionRuntime } from './projection-runtime.js';
import type { Projector } from './projector.js';
import { RUNTIME_COLLECTION } from './projection-records.js';
import { StoredProjections } from './stored-projections.js';

const mongo = process.env['ANNALS_READ_MODELS_URL'];
const database = (): string => {
  const url = new URL(mongo ?? 'mongodb://127.0.0.1:27017/');
  url.pathname = `/annals_${randomBytes(6).toString('hex')}`;
  return url.href;
};

const VIEWS: Readonly<Record<string, (folder: string, url: string) => Promise<ReadModelStore>>> = {
  LMDB: async (folder) => openLmdbReadModels(join(folder, 'views')),
  ...(mongo === undefined ? {} : { MongoDB: (_: string, url: string) => openMongoReadModels(url) }),
};

describe.each(Object.entries(VIEWS))('views in %s', (_, open) => {
  let folder: string;
  let url: string;
  let closing: (() => Promise<void>)[];
  let warnings: string[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'annals-whose-'));
    url = database();
    closing = [];
    warnings = [];
  });

  afterEach(async () => {
    await end();
    rmSync(folder, { recursive: true });
  });

  const end = async (): Promise<void> => {
    for (const close of closing.splice(0).toReversed()) await close();
  };

  const openLog = async (name: string): Promise<EventStore> => {
    const store = await openLmdbEventStore(join(folder, name));
    closing.push(() => store.close());
    await nameLog(store, systemClock, 'a.example' as ServerName, { key_id: 'ed25519:a', public_key: 'AAAA' });
    return store;
  };

  const say = (store: EventStore, ...words: string[]): Promise<unknown> => write(store, 's', 'said', words);

  const write = async (store: EventStore, stream: string, type: string, words: string[]): Promise<Appended> => {
    let before: { revision: number; chain: string } | undefined;
    for await (const { revision, metadata } of store.readStream(stream, { backwards: true, limit: 1 })) {
      before = { revision, chain: metadata.chain };
    }
    const drafts = words.map((word) => ({ id: randomUUID(), type, data: JSON.stringify({ word }) }));
    const facts = sealFacts(
      before?.chain,
      drafts.map((draft) => ({ ...draft, at: 1, actor: 'server' })),
    );
    return store.append(stream, before?.revision ?? 'no-stream', facts);
  };

  const openViews = async (): Promise<ReadModelStore> => {
    const readModels = await withLease(await open(folder, url));
    closing.push(() => readModels.close());
    return readModels;
  };

  const run = async (
    store: EventStore,
    readModels: ReadModelStore,
    projectors: readonly Projector[] = [wordsProjector()],
  ): Promise<ProjectionRuntime> => {
    const log = { info: () => {}, warn: (line: string) => void warnings.push(line), error: () => {} };
    const runtime = new ProjectionRuntime({
      store,
      readModels,
      projectors,
      listeners: [],
      clock: systemClock,
      log,
    });
    closing.push(() => runtime.stop());
    await runtime.start();
    return runtime;
  };

  const wordsOf = async (runtime: ProjectionRuntime): Promise<string[]> =>
    (await runtime.scan('words', { limit: 100 })).map(({ value }) => value);

  /** Makes views of the log `old` with these words, then stops. */
  const made = async (...spoken: string[]): Promise<void> => {
    const store = await openLog('old');
    await say(store, ...spoken);
    await run(store, await openViews());
    await end();
  };

  it('of the log at hand are taken as they are, and filled no second time', async () => {
    await made('a', 'b');
    const runtime = await run(await openLog('old'), await openViews());
    expect(await wordsOf(runtime)).toEqual(['a', 'b']);
    expect((await runtime.operations.status('words')).serving.generation).toBe(1);
    expect(warnings).toEqual([]);
  });

  it('of another log are rebuilt with one warning, though they are not ahead of this one', async () => {
    await made('a', 'b');
    const other = await openLog('other');
    await say(other, 'x', 'y', 'z', 'w');
    const readModels = await openViews();
    // Kept by the write side, and of no generation.
    await readModels.write([{ collection: 'room-snapshots', key: ['!r', 'head'], value: '{}' }]);
    const stored = await StoredProjections.read(other, readModels, [wordsProjector()]);
    expect(stored.foreign).toBe('belong to another log');
    expect(await stored.checksum('words')).toEqual({});
    const runtime = await run(other, readModels);
    expect(await wordsOf(runtime)).toEqual(['x', 'y', 'z', 'w']);
    expect(await readModels.get('room-snapshots', ['!r', 'head'])).toBeUndefined();
    expect(warnings).toEqual(['The views belong to another log: they are rebuilt from the log']);
  });

  it('of facts that a restored log has lost are rebuilt, also where it has grown past them', async () => {
    const store = await openLog('old');
    await say(store, 'a');
    await end();
    cpSync(join(folder, 'old'), join(folder, 'copy'), { recursive: true, filter: (path) => !path.endsWith('.sock') });
    await made('lost', 'lost too');
    const restored = await openLog('copy');
    await say(restored, 'b', 'c', 'd');
    const runtime = await run(restored, await openViews());
    expect(await wordsOf(runtime)).toEqual(['a', 'b', 'c', 'd']);
    expect(warnings).toEqual([expect.stringMatching(/^The views were made from a fact at \d+ that the log does not/)]);
  });

  it('of a part of the log that it has lost are rebuilt, also where it has let go since of what stands in the place of what they name', async () => {
    await made('a');
    cpSync(join(folder, 'old'), join(folder, 'copy'), { recursive: true, filter: (path) => !path.endsWith('.sock') });
    const store = await openLog('old');
    await write(store, 'short', 'said', ['lost']);
    await run(store, await openViews());
    await end();
    const restored = await openLog('copy');
    await noteRestored(restored, systemClock);
    await write(restored, 'short', 'said', ['b', 'c']);
    await restored.truncate('short', 1);
    const runtime = await run(restored, await openViews());
    expect(await wordsOf(runtime)).toEqual(['a', 'c']);
    expect(warnings).toEqual([expect.stringMatching(/^The views are at \d+, in a part of the log that it has lost/)]);
    await end();
    await run(await openLog('copy'), await openViews());
    expect(warnings).toHaveLength(1);
  });

  it('older than a restored log are taken: they are of what both have in common', async () => {
    const store = await openLog('old');
    await say(store, 'a');
    await run(store, await openViews());
    await end();
    await (async () => say(await openLog('old'), 'b'))();
    await end();
    const runtime = await run(await openLog('old'), await openViews());
    expect(await wordsOf(runtime)).toEqual(['a', 'b']);
    expect(warnings).toEqual([]);
  });

  it('that do not say whose they are, or not in a way that can be read, are rebuilt', async () => {
    for (const value of [null, '0000000000000000002', '{}', 'null', '{"log":null']) {
      await made('a', 'b');
      const readModels = await openViews();
      await readModels.write([{ collection: RUNTIME_COLLECTION, key: ['checkpoint'], value }]);
      warnings = [];
      const runtime = await run(await openLog('old'), readModels);
      expect(await wordsOf(runtime)).toContain('b');
      expect(warnings).toEqual(['The views do not say of which log they are: they are rebuilt from the log']);
      await end();
    }
  });

  it('that were thrown away, and then written to once more by a process that did not know, are rebuilt', async () => {
    await made('a', 'b');
    const readModels = await openViews();
    const rows = await readModels.scan(RUNTIME_COLLECTION, { limit: 1 });
    const [words] = (await readModels.collections()).filter((name) => name !== RUNTIME_COLLECTION);
    for (const name of await readModels.collections()) await readModels.drop(name);
    await readModels.write([
      ...rows.map((row) => ({ ...row, collection: RUNTIME_COLLECTION })),
      { collection: words!, key: ['late'], value: 'late' },
    ]);
    const runtime = await run(await openLog('old'), readModels);
    expect(await wordsOf(runtime)).toEqual(['a', 'b']);
    expect(warnings).toEqual([expect.stringContaining('rebuilt from the log')]);
  });

  it('beside which other things stand leave those alone', async () => {
    await made('a');
    const readModels = await openViews();
    await readModels.write([{ collection: 'somebody-else', key: ['k'], value: 'v' }]);
    await run(await openLog('other'), readModels);
    expect(await readModels.get('somebody-else', ['k'])).toBe('v');
  });

  describe('older than what the log has forgotten since', () => {
    type Stored = readonly (Row & { readonly collection: string })[];
    const PROJECTORS = [forgettingProjector(), countsProjector()];
    /** What takes long is late, and is waited for by its name alone. */
    const ALL = PROJECTORS.map(({ name }) => name);

    const copy = async (readModels: ReadModelStore): Promise<Stored> => {
      const rows: (Row & { readonly collection: string })[] = [];
      for (const collection of await readModels.collections())
        for (const row of await readModels.scan(collection, { limit: 10_000 })) rows.push({ ...row, collection });
      return rows;
    };

    const putBack = async (rows: Stored): Promise<ReadModelStore> => {
      const readModels = await openViews();
      for (const name of await readModels.collections()) await readModels.drop(name);
      await readModels.write(rows);
      return readModels;
    };

    /** A word is taken back, and the log forgets that, in a way that says nothing of it any more. Answers copies of the views from before that, and after. */
    const forgetWord = async (): Promise<{ readonly before: Stored; readonly after: Stored }> => {
      const store = await openLog('old');
      const readModels = await openViews();
      const runtime = await run(store, readModels, PROJECTORS);
      const spoken = await write(store, 'spoken', 'said', ['secret', 'other']);
      await runtime.whenProcessed(spoken.position, ALL);
      const before = await copy(readModels);
      const { position } = await write(store, 'unspoken', 'unsaid', ['secret', 'nothing']);
      await runtime.whenKept(position, ['words']);
      for (const stream of ['spoken', 'unspoken']) await store.truncate(stream, 1);
      await runtime.whenProcessed(await store.head(), ALL);
      const after = await copy(readModels);
      await end();
      return { before, after };
    };

    const generationsOf = async (runtime: ProjectionRuntime): Promise<number[]> =>
      (await runtime.operations.list()).map(({ serving }) => serving.generation);

    it('are filled anew where rows would stay, before they serve, and no others', async () => {
      const { before } = await forgetWord();
      const readModels = await putBack(before);
      const log = await openLog('old');
      const stored = await StoredProjections.read(log, readModels, PROJECTORS);
      const [words, counts] = await stored.list();
      expect([stored.anew, words, counts]).toMatchObject([
        ['words'],
        { state: 'catching-up', facts: { done: 0 }, serving: { generation: 2 } },
        { serving: { generation: 1 } },
      ]);
      expect(counts!.facts.done).toBeGreaterThan(0);
      const runtime = await run(log, readModels, PROJECTORS);
      expect(await wordsOf(runtime)).toEqual(['other']);
      expect(await generationsOf(runtime)).toEqual([2, 1]);
      expect(await runtime.get('counts', ['word', 'secret'])).toBeDefined();
      expect(warnings).toEqual([expect.stringContaining('words: the log has forgotten since')]);
      expect(await readModels.collections()).not.toContain('words.words@1-1');
      await end();
      await run(await openLog('old'), await openViews(), PROJECTORS);
      expect(warnings).toHaveLength(1);
    });

    it('are filled anew also where the log was put back by hand since, and nobody knows how far it is as it was', async () => {
      const { before } = await forgetWord();
      await noteRestored(await openLog('old'), systemClock, START);
      await end();
      // As they were written before views said where they are in the history of the log: those are rebuilt altogether.
      const older = before.map((row) => ({ ...row, value: row.value.replace(/"place":"\d+",/, '') }));
      const runtime = await run(await openLog('old'), await putBack(older), PROJECTORS);
      expect(await wordsOf(runtime)).toEqual(['other']);
      expect(warnings).toEqual([expect.stringContaining('words: the log has forgotten since')]);
    });

    it('are no others: those that went on, nor those that were copied after', async () => {
      const { after } = await forgetWord();
      const kept = await run(await openLog('old'), await openViews(), PROJECTORS);
      expect([await wordsOf(kept), await generationsOf(kept)]).toEqual([['other'], [1, 1]]);
      await end();
      const runtime = await run(await openLog('old'), await putBack(after), PROJECTORS);
      expect([await wordsOf(runtime), await generationsOf(runtime)]).toEqual([['other'], [1, 1]]);
      expect(warnings).toEqual([]);
    });

    it('are no others either that had begun after that, and were stopped before they came so far', async () => {
      const { before } = await forgetWord();
      const fresh = await openViews();
      for (const name of await fresh.collections()) await fresh.drop(name);
      await run(await openLog('old'), fresh, PROJECTORS);
      const begun = (await copy(fresh)).filter(({ key }) => key[0] === 'forgotten-before');
      const at = JSON.parse(begun[0]!.value) as Record<string, string>;
      expect([begun.length, at]).toEqual([1, { words: at['words'], counts: at['words'] }]);
      expect(at['words']).not.toBe('');
      await end();
      const halfway = [...before.filter(({ key }) => key[0] !== 'forgotten-before'), ...begun];
      const runtime = await run(await openLog('old'), await putBack(halfway), PROJECTORS);
      expect([await generationsOf(runtime), warnings]).toEqual([[1, 1], []]);
      // Of what is forgotten from here on they may have something.
      await runtime.whenKept(runtime.position(), ['words']);
      await end();
      await run(await openLog('old'), await putBack(halfway), PROJECTORS);
      expect(warnings).toEqual([expect.stringContaining('words: the log has forgotten since')]);
    });

    it('are filled anew before they serve also where they are of another version', async () => {
      const { before } = await forgetWord();
      const runtime = await run(await openLog('old'), await putBack(before), [wordsProjector({ version: 2 })]);
      expect(warnings).toEqual([expect.stringContaining('words: the log has forgotten since')]);
      expect(await wordsOf(runtime)).toEqual(['other/2']);
    });
  });
});
