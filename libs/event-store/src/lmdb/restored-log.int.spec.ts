import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { START } from '#kernel/position';
import type { EventStore, RecordedFact } from '../event-store.js';
import { LogHistory } from '../log-history.js';
import { findLogIdentity, nameLog, noteRestored } from '../log-identity.js';
import { sealFacts } from '../seal-facts.js';
import { copyLog } from './copy-log.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

let folder: string;
const closing: EventStore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-restored-'));
});
afterEach(async () => {
  for (const store of closing.splice(0)) await store.close();
  rmSync(folder, { recursive: true });
});

async function open(name: string): Promise<EventStore> {
  const store = await openLmdbEventStore(join(folder, name));
  closing.push(store);
  return store;
}

async function say(store: EventStore, count: number) {
  const facts = Array.from({ length: count }, () => ({ id: randomUUID(), type: 'said', data: '{}' }));
  const sealed = sealFacts(
    undefined,
    facts.map((fact) => ({ ...fact, at: 1, actor: 'server' })),
  );
  return (await store.append(`room-${randomUUID()}`, 'no-stream', sealed)).position;
}

async function read(store: EventStore, after = START): Promise<RecordedFact[]> {
  const facts: RecordedFact[] = [];
  for await (const batch of store.readAll({ after })) facts.push(...batch);
  return facts;
}

test('a restored log is the same log, which goes on where the copy ends and says what is lost', async () => {
  const first = await open('log');
  const key = { key_id: 'ed25519:a', public_key: 'AAAA' };
  await nameLog(first, systemClock, 'a.example' as ServerName, key);
  const kept = await say(first, 3);
  await copyLog(join(folder, 'log'), join(folder, 'copy'));
  const lost = await say(first, 50);

  const restored = await open('copy');
  expect(await restored.head()).toBe(kept);
  await noteRestored(restored, systemClock);
  const next = await say(restored, 2);
  await noteRestored(restored, systemClock);

  const types = (await read(restored, kept)).map(({ type }) => type);
  expect(types).toEqual(['log-restored', 'said', 'said', 'log-restored']);
  const { logId, restored: times } = (await findLogIdentity(restored))!;
  expect(logId).toBe((await findLogIdentity(first))?.logId);
  expect(times.map(({ agreed }) => agreed)).toEqual([kept, next]);
  // A place of the lost part is that of another fact now, or will be: only the restoration's name tells them apart.
  const before = LogHistory.UNBROKEN;
  const after = new LogHistory(times.slice(0, 1));
  const last = new LogHistory(times);
  expect(last.find(before.format(kept))).toEqual({ place: kept, isLost: false });
  expect(last.find(before.format(next))).toEqual({ place: kept, isLost: true });
  expect(last.find(before.format(lost))).toEqual({ place: kept, isLost: true });
  expect(last.find(after.format(next))).toEqual({ place: next, isLost: false });
});

test('a copy is of one moment, whatever is written meanwhile', async () => {
  const store = await open('log');
  await say(store, 500);
  const head = await store.head();
  const writing = Promise.all(Array.from({ length: 50 }, () => say(store, 20)));
  await copyLog(join(folder, 'log'), join(folder, 'copy'));
  await writing;
  const facts = await read(await open('copy'));
  expect(facts.length).toBeGreaterThanOrEqual(500);
  expect(facts.at(-1)!.position >= head).toBe(true);
  expect(facts.every((fact, i) => Number(fact.position) === i + 1)).toBe(true);
});
