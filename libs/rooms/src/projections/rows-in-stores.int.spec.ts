import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import { scanPages } from '#projections/scan-pages';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { openMongoReadModels } from '#read-models/mongodb/mongodb-read-model-store';
import type { ReadModelStore } from '#read-models/read-model-store';
import { ForkedRoom } from '#testing/forked-room';
import { ALICE, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';

const CAROL = '@carol:b.example' as UserId;
const mongo = process.env['ANNALS_READ_MODELS_URL'];

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A room that forks, with what came late, from the past, refused, redacted unseen and brought back, and threads of all of it. */
async function lively(): Promise<MemoryEventStore> {
  const log = new MemoryEventStore();
  const room = await LocalRoom.begin(log);
  await room.setState('m.room.power_levels', { users: { [ALICE]: 100, [CAROL]: 50 } });
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  const others = new ForkedRoom(log, room);
  await others.join(CAROL);
  const fork = await others.extremities();
  const draft = { sender: CAROL, prevEvents: fork };
  const topic = { ...draft, type: 'm.room.topic', stateKey: '' };
  const says = (body: string, root?: EventId) => ({
    ...draft,
    type: 'm.room.message',
    content: root === undefined ? { body } : { body, 'm.relates_to': { event_id: root, rel_type: 'm.thread' } },
  });
  await room.setState('m.room.topic', { topic: 'ours' });
  const root = await room.say('Straße \u{10ffff} \u2028');
  const first = await others.receive({ ...topic, content: { topic: 'theirs' } });
  const hidden = await others.receive({ ...topic, content: { topic: 'hidden' } }, 'pdu-soft-failed');
  await others.redact(hidden, first.eventId);
  const told = { reason: 'may not', check: 'state' };
  await others.receive({ ...says('rejected'), type: 'm.room.name', stateKey: '' }, 'pdu-rejected', told);
  for (const body of ['one', 'two']) await others.fetch(says(body, root.eventId));
  await others.fetch(says('x'.repeat(60_000)));
  const late = await others.receiveOutlierFirst(says('late', first.eventId));
  await room.redact(await others.receive(says('oops', late.eventId)));
  const state = [{ type: 'm.room.topic', state_key: '', event_id: hidden.eventId }];
  const remains = JSON.stringify({ ...hidden.pdu, content: {} });
  const brought = { current: { state, root: 'resolved' }, state_pdus: { [hidden.eventId]: remains } };
  await others.receive(says('and back'), 'pdu-accepted', brought);
  await room.say('all of it');
  return log;
}

async function rowsOf(log: MemoryEventStore, store: ReadModelStore): Promise<Record<string, readonly unknown[]>> {
  await store.takeLease();
  await new RoomViews(log, store).follow();
  await store.flush();
  const rows: Record<string, unknown[]> = {};
  for (const name of await store.collections()) {
    const all: unknown[] = (rows[name] = []);
    for await (const page of scanPages(store, name, { prefix: [] })) all.push(...page);
  }
  return rows;
}

describe.skipIf(mongo === undefined)('the rows of a room (where ANNALS_READ_MODELS_URL names a MongoDB)', () => {
  it('are the same there and in LMDB, and in the same order', async () => {
    const log = await lively();
    const directory = mkdtempSync(join(tmpdir(), 'annals-rows-'));
    closing.push(async () => rmSync(directory, { recursive: true }));
    const lmdb = await openLmdbReadModels(directory);
    closing.push(() => lmdb.close());
    const url = new URL(mongo!);
    url.pathname = `/annals_rows_${process.pid}`;
    const client = await new MongoClient(url.href).connect();
    closing.push(() => client.close());
    closing.push(() => client.db().dropDatabase());
    const mongodb = await openMongoReadModels(url.href);
    closing.push(() => mongodb.close());
    const rows = await rowsOf(log, mongodb);
    expect(rows).toEqual(await rowsOf(log, lmdb));
    expect(Object.keys(rows)).toEqual(
      expect.arrayContaining(['graph-state', 'history', 'overtaken', 'past-threads', 'redacted-unseen', 'topology']),
    );
  });
});
