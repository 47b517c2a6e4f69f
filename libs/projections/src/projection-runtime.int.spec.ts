import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventStore } from '#event-store/event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { systemClock } from '#kernel/clock';
import { positionNumber } from '#testing/position-of';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { openMongoReadModels } from '#read-models/mongodb/mongodb-read-model-store';
import type { ReadModelStore } from '#read-models/read-model-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { startScript } from '#testing/start-script';
import { countsProjector, said, wordsProjector } from './example-projectors.js';
import { ProjectionRuntime } from './projection-runtime.js';

const mongo = process.env['ANNALS_READ_MODELS_URL'];

/** What takes long is late, and is waited for by its name alone. */
const BOTH = ['words', 'counts'];

describe('ProjectionRuntime on LMDB', () => {
  let folder: string;
  let closing: (() => Promise<void>)[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'annals-projections-'));
    closing = [];
  });

  afterEach(async () => {
    await end();
    await rm(folder, { recursive: true, force: true });
  });

  const end = async (): Promise<void> => {
    for (const close of closing.splice(0).toReversed()) await close();
  };

  const openLog = async (): Promise<EventStore> => {
    const store = await openLmdbEventStore(join(folder, 'log'));
    closing.push(() => store.close());
    return store;
  };

  const begin = async (store: EventStore, readModels: ReadModelStore): Promise<ProjectionRuntime> => {
    const projectors = [wordsProjector(), countsProjector()];
    const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
    closing.push(() => runtime.stop());
    await runtime.start();
    return runtime;
  };

  const openViews = async (): Promise<ReadModelStore> => {
    const readModels = await openLmdbReadModels(join(folder, 'views'));
    closing.push(() => readModels.close());
    return readModels;
  };

  const checksums = async (runtime: ProjectionRuntime) => [
    await runtime.operations.checksum('words'),
    await runtime.operations.checksum('counts'),
  ];

  const until = async (condition: () => Promise<boolean>): Promise<void> => {
    await expect.poll(condition, { interval: 2 }).toBe(true);
  };

  it.each([[[]], [['rebuilding']], [['pausing']]])(
    'catches up to what a fresh replay gives, after its process was killed again and again %s',
    async (more) => {
      for (const kills of [50, 200, 100]) {
        const { process: server, remove } = await startScript('libs/projections/src/endless-server.ts', [
          join(folder, 'log'),
          join(folder, 'views'),
          ...more,
        ]);
        let lines = 0;
        createInterface({ input: server.stdout! }).on('line', () => {
          if (++lines === kills) server.kill('SIGKILL');
        });
        if (server.signalCode === null) await once(server, 'exit');
        await remove();
        expect(server.signalCode).toBe('SIGKILL');
      }
      const store = await openLog();
      const runtime = await begin(store, await openViews());
      await runtime.operations.resume('words');
      await until(async () => runtime.position() === (await store.head()));
      expect(positionNumber(await store.head())).toBeGreaterThan(500);
      await until(async () => (await runtime.operations.list()).every((status) => status.state === 'live'));
      const fresh = await begin(store, new MemoryReadModels());
      expect(await checksums(runtime)).toEqual(await checksums(fresh));
      expect((await runtime.operations.deadLetters()).length).toBe(0);
    },
    60_000,
  );

  it('rebuilds while facts are appended, and comes to the same rows', async () => {
    const store = await openLog();
    const runtime = await begin(store, await openViews());
    const enough = new AbortController();
    const talking = (async () => {
      for (let n = 0; !enough.signal.aborted; n++) {
        await store.append(
          `s${n}`,
          'no-stream',
          Array.from({ length: 20 }, (_, i) => said(`w${(n * i) % 31}`)),
        );
      }
    })();
    await delay(300);
    for (const name of ['words', 'counts']) {
      await runtime.operations.rebuild(name);
      await until(async () => (await runtime.operations.status(name)).comparison !== undefined);
      expect((await runtime.operations.status(name)).comparison).toMatchObject({ generation: 2, differences: 0 });
    }
    enough.abort();
    await talking;
    await runtime.whenProcessed(await store.head(), BOTH);
    const fresh = await begin(store, new MemoryReadModels());
    expect(await checksums(runtime)).toEqual(await checksums(fresh));
  });

  it('gives the same views after they were deleted while it was stopped', async () => {
    let store = await openLog();
    for (let n = 0; n < 300; n++) await store.append(`s${n}`, 'no-stream', [said(`w${n % 13}`), said('x'), said('😀')]);
    const before = await checksums(await begin(store, await openViews()));
    await end();
    await rm(join(folder, 'views'), { recursive: true });
    store = await openLog();
    const runtime = await begin(store, await openViews());
    expect(runtime.position()).toBe(await store.head());
    expect(await checksums(runtime)).toEqual(before);
  });

  it('has nothing to do at start where the views are up to date', async () => {
    let store = await openLog();
    for (let n = 0; n < 100; n++) {
      await store.append(
        `s${n}`,
        'no-stream',
        Array.from({ length: 100 }, (_, i) => said(`${i}`)),
      );
    }
    await begin(store, await openViews());
    await end();
    store = await openLog();
    const reads: number[] = [];
    const watched: EventStore = new Proxy(store, {
      get(target, name) {
        if (name === 'readAll') reads.push(1);
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
    const runtime = await begin(watched, await openViews());
    expect(runtime.position()).toBe(await store.head());
    expect(reads).toEqual([]);
  });

  it.runIf(mongo !== undefined)('comes to the same rows on MongoDB', async () => {
    const url = new URL(mongo!);
    url.pathname = `/annals-runtime-${process.pid}`;
    const readModels = await openMongoReadModels(url.href);
    closing.push(async () => {
      for (const name of await readModels.collections()) await readModels.drop(name);
      await readModels.close();
    });
    const store = await openLog();
    for (let n = 0; n < 20; n++) await store.append(`s${n}`, 'no-stream', [said(`w${n % 7}`), said('x'), said('😀')]);
    const runtime = await begin(store, readModels);
    await runtime.whenProcessed((await store.append('more', 'no-stream', [said('y')])).position, BOTH);
    await runtime.operations.rebuild('words');
    await until(async () => (await runtime.operations.status('words')).comparison !== undefined);
    expect((await runtime.operations.status('words')).comparison).toMatchObject({ rows: 82, differences: 0 });
    const fresh = await begin(store, new MemoryReadModels());
    expect(await checksums(runtime)).toEqual(await checksums(fresh));
  });
});
