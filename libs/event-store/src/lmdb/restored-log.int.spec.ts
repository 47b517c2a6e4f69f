import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { START } from '#kernel/position';
import type { EventStore, RecordedFact } from '../event-store.js';
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

test('what follows a restoration stands after every position of what was lost, and everything is counted all the same', async () => {
  const first = await open('log');
  const key = { key_id: 'ed25519:a', public_key: 'AAAA' };
  await nameLog(first, systemClock, 'a.example' as ServerName, key);
  const kept = await say(first, 3);
  await copyLog(join(folder, 'log'), join(folder, 'copy'));
  const lost = await say(first, 50);

  const restored = await open('copy');
  expect(await restored.head()).toBe(kept);
  const { logId } = await noteRestored(restored, systemClock);
  expect(logId).toBe((await findLogIdentity(first))?.logId);
  const next = await say(restored, 2);
  expect(next > lost).toBe(true);
  // A reader who knows what is lost gets all that is new, and nothing that it knows.
  const types = (await read(restored, lost)).map(({ type }) => type);
  expect(types).toEqual(['log-restored', 'said', 'said']);

  expect(await read(restored)).toHaveLength(7);
  expect(restored.distance(START, next)).toEqual({ amount: 7, unit: 'facts' });
  expect(restored.distance(kept, next)).toEqual({ amount: 3, unit: 'facts' });
  expect((await restored.findLast())?.position).toBe(next);

  // Again, and from a reader that opens it anew.
  await noteRestored(restored, systemClock);
  const last = await say(restored, 1);
  const reader = await openLmdbEventStore(join(folder, 'copy'), { readOnly: true });
  closing.push(reader);
  expect(reader.distance(START, last)).toEqual({ amount: 9, unit: 'facts' });
  expect(reader.distance(next, last)).toEqual({ amount: 2, unit: 'facts' });
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
