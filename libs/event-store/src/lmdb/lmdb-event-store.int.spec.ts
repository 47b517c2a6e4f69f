import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { START } from '#kernel/position';
import { positionNumber } from './counted-position.js';
import { startScript, type StartedScript } from '#testing/start-script';
import { describeEventStore } from '../event-store.contract.js';
import type { EventStore } from '../event-store.js';
import { LogDamaged } from '../event-store-errors.js';
import { openedStore, someFact, someFacts } from '../store-under-test.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

const folder = () => mkdtemp(join(tmpdir(), 'annals-log-'));
const WRITER = 'libs/event-store/src/lmdb/endless-writer.ts';

describeEventStore('LMDB event store', async () => {
  const directory = await folder();
  return openedStore({
    open: () => openLmdbEventStore(directory),
    openReader: () => openLmdbEventStore(directory, { readOnly: true }),
    close: () => rm(directory, { recursive: true }),
  });
});

describe('LMDB event store, alone', () => {
  const cleanUp: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const clean of cleanUp.splice(0).toReversed()) await clean();
  });

  async function open(directory: string, options?: { readOnly: boolean }): Promise<EventStore> {
    const store = await openLmdbEventStore(directory, options);
    cleanUp.push(() => store.close());
    return store;
  }

  async function newFolder(): Promise<string> {
    const directory = await folder();
    cleanUp.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  async function startWriter(directory: string): Promise<StartedScript> {
    const script = await startScript(WRITER, [directory]);
    cleanUp.push(() => script.remove());
    return script;
  }

  it('tells what it keeps in memory of its streams', async () => {
    const store = await open(await newFolder());
    await store.append('a', 'no-stream', someFacts(1));
    await store.append('a', 0, someFacts(1));
    for await (const _ of store.readStream('a'));
    expect(store.caches?.['stream-heads']).toMatchObject({ size: 1, hits: 1, misses: 1, evictions: 0 });
    expect(store.caches?.['stream-names']).toMatchObject({ size: 1, hits: 1, misses: 1, evictions: 0 });
  });

  it('counts positions from 1 without gaps, also over conflicts', async () => {
    const store = await open(await newFolder());
    await Promise.all([
      store.append('a', 'no-stream', someFacts(3)),
      store.append('a', 7, someFacts(3)).catch(() => {}),
      store.append('b', 'no-stream', someFacts(2)),
    ]);
    const positions: number[] = [];
    for await (const batch of store.readAll({ after: START })) {
      positions.push(...batch.map((fact) => positionNumber(fact.position)));
    }
    expect(positions).toEqual([1, 2, 3, 4, 5]);
  });

  it('hands the appended facts themselves to live subscribers', async () => {
    const store = await open(await newFolder());
    const abort = new AbortController();
    const fact = someFact();
    const seen = (async () => {
      for await (const [first] of store.subscribe({ after: START, signal: abort.signal })) return first;
      return undefined;
    })();
    await store.append('a', 'no-stream', [fact]);
    expect((await seen)?.metadata).toBe(fact.metadata);
    abort.abort();
  });

  it('creates the directory, however deep and long its path', async () => {
    const directory = join(await newFolder(), 'deep'.repeat(40), 'log');
    const store = await open(directory);
    expect(await store.head()).toBe(START);
    await expect(openLmdbEventStore(directory)).rejects.toThrow(/being written by another process/);
  });

  it('lets only one writer in, and the next one when it has closed', async () => {
    const directory = await newFolder();
    const first = await openLmdbEventStore(directory);
    await expect(openLmdbEventStore(directory)).rejects.toThrow(`another process (${process.pid})`);
    await first.close();
    const second = await open(directory);
    await second.append('a', 'no-stream', someFacts(1));
    await expect(first.append('a', 'no-stream', someFacts(1))).rejects.toThrow('closed');
  });

  it('never lets two of many writers in that come at once', async () => {
    const directory = await newFolder();
    const attempts = await Promise.allSettled(Array.from({ length: 6 }, () => openLmdbEventStore(directory)));
    const winners = attempts.filter((attempt) => attempt.status === 'fulfilled');
    for (const winner of winners) await winner.value.close();
    expect(winners.length).toBeLessThanOrEqual(1);
    await open(directory);
  });

  it('reads only where it was told to, and only where there is a log', async () => {
    const directory = await newFolder();
    await mkdir(join(directory, 'empty'));
    await expect(openLmdbEventStore(join(directory, 'empty'), { readOnly: true })).rejects.toThrow('no log');
    await expect(openLmdbEventStore(join(directory, 'missing'), { readOnly: true })).rejects.toThrow('no log');
    await open(directory);
    const reader = await open(directory, { readOnly: true });
    await expect(reader.append('a', 'no-stream', someFacts(1))).rejects.toThrow('reading only');
  });

  it('finishes what waits before it closes, and ends subscriptions', async () => {
    const directory = await newFolder();
    const store = await openLmdbEventStore(directory);
    const seen: number[] = [];
    const live = (async () => {
      for await (const batch of store.subscribe({ after: START, signal: new AbortController().signal })) {
        seen.push(batch.length);
      }
    })();
    const appends = Array.from({ length: 50 }, (_, n) => store.append(`s${n}`, 'no-stream', someFacts(1)));
    await store.close();
    await live;
    expect(await Promise.all(appends)).toHaveLength(50);
    await expect(store.head()).rejects.toThrow('closed');
    expect(await (await open(directory)).head()).toBe('0000000000000000050');
  });

  it('has every acknowledged fact after the process was killed in the middle', async () => {
    const directory = await newFolder();
    const acknowledged = new Map<string, string>();
    for (let round = 0; round < 2; round++) {
      const { process: writer } = await startWriter(directory);
      let lines = 0;
      for await (const line of createInterface({ input: writer.stdout! })) {
        const [id, position] = line.split(' ') as [string, string];
        acknowledged.set(id, position);
        if (++lines === 300) writer.kill('SIGKILL');
      }
      if (writer.signalCode === null) await once(writer, 'exit');
      expect(writer.signalCode).toBe('SIGKILL');
    }
    const store = await open(directory);
    const revisions = new Map<string, number>();
    let position = 0;
    for await (const batch of store.readAll({ after: START })) {
      for (const fact of batch) {
        expect(positionNumber(fact.position)).toBe(++position);
        expect(fact.revision).toBe((revisions.get(fact.stream) ?? -1) + 1);
        revisions.set(fact.stream, fact.revision);
        if (acknowledged.get(fact.id) === fact.position) acknowledged.delete(fact.id);
      }
    }
    expect(acknowledged.size).toBe(0);
    expect(position).toBeGreaterThanOrEqual(600);
    for (const [stream, revision] of revisions) {
      for await (const fact of store.readStream(stream, { backwards: true, limit: 1 })) {
        expect(fact.revision).toBe(revision);
      }
    }
  });

  it('acknowledges nothing that goes with it: once its file is deleted it says so, and reads on', async () => {
    const directory = await newFolder();
    const told: string[] = [];
    const onDamage = ({ finding }: Error & { finding: string }): void => void told.push(finding);
    const store = await openLmdbEventStore(directory, { onDamage });
    cleanUp.push(() => store.close());
    await store.append('a', 'no-stream', someFacts(1));
    expect(store.damage).toBeUndefined();
    await rm(directory, { recursive: true });
    await expect(store.append('a', 0, someFacts(1))).rejects.toThrow(LogDamaged);
    await expect(store.append('b', 'no-stream', someFacts(1))).rejects.toThrow('deleted');
    await expect(store.truncate('a', 0)).rejects.toThrow('deleted');
    expect(told).toEqual([expect.stringContaining('deleted')]);
    expect(store.damage?.message).toContain('deleted');
    let read = 0;
    for await (const _ of store.readStream('a')) read++;
    expect(read).toBe(1);
  });

  it('says of no file that it was closed which was put in the place of the one that was open', async () => {
    const directory = await newFolder();
    const store = await openLmdbEventStore(directory);
    await store.append('a', 'no-stream', someFacts(1));
    await copyFile(join(directory, 'data.mdb'), join(directory, 'other'));
    await rename(join(directory, 'other'), join(directory, 'data.mdb'));
    await store.close();
    expect(JSON.parse(await readFile(join(directory, 'last-end.json'), 'utf8'))).toMatchObject({ ended: 'unclean' });
  });

  it('is read by one process while another writes and its file grows', async () => {
    const directory = await newFolder();
    await (await openLmdbEventStore(directory)).close();
    const reader = await open(directory, { readOnly: true });
    const { process: writer } = await startWriter(directory);
    writer.stdout!.resume();
    const abort = new AbortController();
    let last = 0;
    let characters = 0;
    for await (const batch of reader.subscribe({ after: START, signal: abort.signal })) {
      for (const fact of batch) {
        expect(positionNumber(fact.position)).toBe(++last);
        characters += fact.data.length;
      }
      if (characters > 8_000_000) break;
    }
    await expect(openLmdbEventStore(directory)).rejects.toThrow(`another process (${writer.pid})`);
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    expect(positionNumber(await reader.head())).toBeGreaterThanOrEqual(last);
  });
});
