import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EventStore } from '#event-store/event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { findLogIdentity, LOG_RESTORED, nameLog, SERVER_STREAM } from '#event-store/log-identity';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { START } from '#kernel/position';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { LocalRoom } from '#testing/local-room';
import { MemoryReadModels } from '#testing/memory-read-models';
import { notePutBack } from './note-put-back.js';
import { listProjectors } from './projectors.js';

let folder: string;
let readModels: MemoryReadModels;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-put-back-'));
  readModels = new MemoryReadModels();
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const log = { info: () => {}, warn: (line: string) => void warnings.push(line), error: () => {} };

/** Starts over the log in a folder as the server does, lets `work` write, and stops. Answers the stream of the server. */
async function run(name: string, work: (store: EventStore) => Promise<unknown> = async () => {}): Promise<string[]> {
  const store = await openLmdbEventStore(join(folder, name));
  await nameLog(store, systemClock, 'a.example' as ServerName, { key_id: 'ed25519:a', public_key: 'AAAA' });
  await notePutBack(store, readModels, systemClock, log);
  const projectors = listProjectors();
  const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock, log });
  await runtime.start();
  await work(store);
  await runtime.whenProcessed(await store.head());
  await runtime.stop();
  const types: string[] = [];
  for await (const { type } of store.readStream(SERVER_STREAM)) types.push(type);
  await store.close();
  return types;
}

test('a log that was put back by hand says so at the next start, once, where the views know more of it', async () => {
  await run('log', (store) => LocalRoom.begin(store));
  cpSync(join(folder, 'log'), join(folder, 'copy'), { recursive: true, filter: (path) => !path.endsWith('.sock') });
  expect(await run('log', async (store) => (await LocalRoom.begin(store)).say('lost'))).toEqual(['log-begun']);
  expect(await run('copy')).toEqual(['log-begun', LOG_RESTORED]);
  expect(warnings).toEqual([
    expect.stringMatching(/^The log was put back to an earlier moment: the views are at \d+, ahead of the log/),
    expect.stringMatching(/^The views are at \d+, in a part of the log that it has lost: .* rebuilt from the log$/),
  ]);
  expect(await run('copy')).toEqual(['log-begun', LOG_RESTORED]);
  expect(warnings).toHaveLength(2);
});

test('a log that is put back to the same moment once more says so once more, though it knows nothing of the first time', async () => {
  const copy = (to: string): void =>
    cpSync(join(folder, 'log'), join(folder, to), { recursive: true, filter: (path) => !path.endsWith('.sock') });
  await run('log', (store) => LocalRoom.begin(store));
  for (const name of ['once', 'again']) copy(name);
  await run('log', async (store) => (await LocalRoom.begin(store)).say('lost'));
  for (const name of ['once', 'again'])
    expect(await run(name, (store) => LocalRoom.begin(store))).toEqual(['log-begun', LOG_RESTORED]);
});

test('where somebody wrote to a log that was put back before that was noticed, it agrees with what is lost up to before that', async () => {
  let kept = START;
  let written = START;
  await run('log', async (store) => {
    const room = await LocalRoom.begin(store);
    for (let i = 0; i < 300; i++) await room.say(`${i}`);
    kept = await store.head();
  });
  cpSync(join(folder, 'log'), join(folder, 'copy'), { recursive: true, filter: (path) => !path.endsWith('.sock') });
  await run('log', async (store) => {
    const room = await LocalRoom.begin(store);
    for (let i = 0; i < 100; i++) await room.say(`lost ${i}`);
  });
  const store = await openLmdbEventStore(join(folder, 'copy'));
  await (await LocalRoom.begin(store)).say('a server that had been running does not know yet');
  written = await store.head();
  expect(written > kept).toBe(true);
  await notePutBack(store, readModels, systemClock, log);
  const { agreed } = (await findLogIdentity(store))!.restored[0]!;
  expect(agreed <= kept).toBe(true);
  expect(store.distance(agreed, kept).amount).toBeLessThan(200);
  await store.close();
});

test('a log is not put back by views that are older, or of another log', async () => {
  await run('log');
  expect(await run('log', (store) => LocalRoom.begin(store))).toEqual(['log-begun']);
  expect(await run('other')).toEqual(['log-begun']);
});
