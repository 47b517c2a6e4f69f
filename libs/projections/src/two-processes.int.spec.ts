import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openKurrentEventStore } from '#event-store/kurrentdb/kurrentdb-event-store';
import { systemClock } from '#kernel/clock';
import { openMongoReadModels } from '#read-models/mongodb/mongodb-read-model-store';
import type { ReadModelStore } from '#read-models/read-model-store';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { MemoryReadModels } from '#testing/memory-read-models';
import { type StartedScript, startScript } from '#testing/start-script';
import { withLease } from '#testing/with-lease';
import { countsProjector, wordsProjector } from './example-projectors.js';
import { ProjectionRuntime } from './projection-runtime.js';

const mongo = process.env['ANNALS_READ_MODELS_URL'];

/** A process that appends and projects, and what it has printed. */
interface Server extends StartedScript {
  readonly lines: string[];
}

describe.skipIf(mongo === undefined)(
  'two processes on one log and one MongoDB (where ANNALS_READ_MODELS_URL names one)',
  () => {
    const url = new URL(mongo ?? 'mongodb://127.0.0.1/');
    url.pathname = `/annals-two-${process.pid}`;
    let log: KurrentStandIn;
    let raw: MongoClient;
    let servers: Server[];

    beforeEach(async () => {
      log = await startKurrentStandIn();
      raw = await new MongoClient(url.href).connect();
      await raw.db().dropDatabase();
      servers = [];
    });

    afterEach(async () => {
      for (const server of servers) await server.remove();
      await log.close();
      await raw.db().dropDatabase();
      await raw.close();
    });

    const begin = async (): Promise<Server> => {
      const started = await startScript('libs/projections/src/endless-server.ts', [log.url, url.href]);
      const lines: string[] = [];
      createInterface({ input: started.process.stdout! }).on('line', (line) => void lines.push(line));
      const server = { ...started, lines };
      servers.push(server);
      await saysMore(server, () => true);
      return server;
    };

    const saysMore = async (server: Server, isIt: (line: string) => boolean, times = 1): Promise<void> => {
      const before = server.lines.length;
      const found = (): number => server.lines.slice(before).filter(isIt).length;
      await expect.poll(found).toBeGreaterThanOrEqual(times);
    };

    const writes = (line: string): boolean => line.endsWith('true');
    const follows = (line: string): boolean => line.endsWith('false');

    /** What is there, and what a fresh replay gives. */
    const expectWhole = async (): Promise<void> => {
      const store = await openKurrentEventStore(log.url);
      const views = await withLease(await openMongoReadModels(url.href));
      try {
        const checksums = async (readModels: ReadModelStore): Promise<unknown> => {
          const projectors = [wordsProjector(), countsProjector()];
          const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
          await runtime.start();
          const found = [await runtime.operations.checksum('words'), await runtime.operations.checksum('counts')];
          await runtime.stop();
          return found;
        };
        expect(await checksums(views)).toEqual(await checksums(new MemoryReadModels()));
      } finally {
        await views.close();
        await store.close();
      }
    };

    it('one writes views, the other answers from them and takes over after kill -9', async () => {
      const first = await begin();
      const second = await begin();
      await Promise.all([saysMore(first, writes, 30), saysMore(second, follows, 30)]);
      first.process.kill('SIGKILL');
      await once(first.process, 'exit');
      await saysMore(second, writes, 30);
      second.process.kill('SIGKILL');
      await once(second.process, 'exit');
      await expectWhole();
    }, 90_000);

    it('no row is written by both: one that stood still for too long writes nothing more, and ends', async () => {
      const first = await begin();
      const second = await begin();
      await Promise.all([saysMore(first, writes, 10), saysMore(second, follows, 10)]);
      first.process.kill('SIGSTOP');
      await saysMore(second, writes, 10);
      first.process.kill('SIGCONT');
      await expect.poll(() => first.lines.at(-1)).toBe('ViewsTaken');
      await saysMore(second, writes, 10);
      await delay(200);
      second.process.kill('SIGKILL');
      await once(second.process, 'exit');
      await expectWhole();
    }, 90_000);
  },
);
