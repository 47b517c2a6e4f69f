import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { EventId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import type { ReadModelStore, Write } from '#read-models/read-model-store';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { positionNumber, positionOf } from '#testing/position-of';
import { RoomViews } from '#testing/room-views';
import { depthKey } from '../projections/event-place.js';
import { timelineRowOf } from '../projections/make-row.js';
import { parseRow, rowHeaderOf } from '../projections/timeline-row.js';
import { findRoomReader } from '../reading/room-reader.js';
import { listRelations, type RelationsRequest } from './list-relations.js';
import { readBundles } from './read-bundles.js';

const REACTIONS = 12_000;
const READER = { userId: ALICE, ignored: new Set<never>() };

describe('an event that very many react to', () => {
  let directory: string;
  let store: ReadModelStore;
  let views: RoomViews;
  let room: LocalRoom;
  let parent: EventId;
  const early: EventId[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'annals-many-children-'));
    store = await openLmdbReadModels(directory);
    const log = new MemoryEventStore();
    views = new RoomViews(log, store);
    room = await LocalRoom.begin(log);
    parent = (await room.say('parent')).eventId;
    const say = async (relType: string, more: object): Promise<void> => {
      const relation = { 'm.relates_to': { rel_type: relType, event_id: parent } };
      const { eventId } = await room.send({ type: 'm.room.message', content: { ...relation, ...more } });
      early.push(eventId);
    };
    await say('m.replace', { 'm.new_content': { body: 'edited' } });
    await say('m.thread', { body: 'in thread' });
    await say('m.reference', {});
    const relation = { rel_type: 'm.annotation', event_id: parent, key: '+1' };
    const last = await room.send({ type: 'm.reaction', content: { 'm.relates_to': relation } });
    await views.follow();
    await repeat(last.eventId);
  });
  afterAll(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Writes the rows of one reaction again and again, at later positions: to send as many would take minutes. */
  async function repeat(reaction: EventId): Promise<void> {
    await store.write(
      await rowsLike(reaction, REACTIONS, (i) => [`$reaction${i}`, 'm.annotation', 'm.reaction', ALICE]),
    );
  }

  /** The rows of events as one that was sent, at later positions, with what is told of each as a relation of the parent. */
  async function rowsLike(sent: EventId, count: number, relationOf: (i: number) => string[]): Promise<Write[]> {
    const rows = await store.scan('timeline', { prefix: [room.roomId], limit: 100 });
    const text = rows.find(({ value }) => rowHeaderOf(value).eventId === sent)!.value;
    const { header, content } = parseRow(text);
    const { type, sentAt, depth } = header;
    const writes: Write[] = [];
    for (let i = 1; i <= count; i++) {
      const position = positionOf(positionNumber(header.position) + i);
      const relation = relationOf(i);
      const pdu = {
        type,
        sender: relation[3]!,
        origin_server_ts: sentAt,
        depth,
        content: JSON.parse(content) as JsonObject,
      };
      const value = timelineRowOf({
        event_id: relation[0] as EventId,
        position,
        visibility: 'shared',
        room_version: '12',
        pdu,
        lenient: false,
      });
      const key = [room.roomId, parent, depthKey(depth), position];
      writes.push({ collection: 'timeline', key: [room.roomId, position], value });
      writes.push({ collection: 'relations', key, value: JSON.stringify(relation) });
    }
    return writes;
  }

  const page = (request: Partial<RelationsRequest>) =>
    listRelations(views, room.roomId, parent, READER, { direction: 'b', limit: 3, ...request });
  const idsOf = (rows: readonly { readonly header: { readonly eventId: EventId } }[]): EventId[] =>
    rows.map(({ header }) => header.eventId);

  it('is served with its edit, its thread and its references, which came before', async () => {
    const reader = await findRoomReader(views, room.roomId, READER);
    const [row] = (await store.scan('timeline', { prefix: [room.roomId], limit: 100 }))
      .map(({ value }) => parseRow(value))
      .filter(({ header }) => header.eventId === parent);
    const bundle = (await readBundles(reader, [row!], {})).get(parent);
    expect(bundle?.replacement?.header.eventId).toBe(early[0]);
    expect(bundle?.thread).toMatchObject({ count: 1, latest: { header: { eventId: early[1] } } });
    expect(bundle?.references).toEqual([early[2]]);
  });

  it('is told by the newest of them first, and by the oldest', async () => {
    const newest = [REACTIONS, REACTIONS - 1, REACTIONS - 2].map((i) => `$reaction${i}`);
    const first = await page({});
    expect(idsOf(first.rows)).toEqual(newest);
    expect(idsOf((await page({ from: first.next })).rows)[0]).toBe(`$reaction${REACTIONS - 3}`);
    expect(idsOf((await page({ direction: 'f' })).rows)).toEqual(early);
    expect(idsOf((await page({ recurse: true })).rows)).toEqual(newest);
  });

  it('leads to what few of them are, past all the others', async () => {
    const found: EventId[] = [];
    let from: TimelinePlace | undefined;
    let pages = 0;
    do {
      const { rows, next } = await page({ relType: 'm.replace', from });
      found.push(...idsOf(rows));
      from = next;
      pages++;
    } while (from !== undefined);
    expect([found, pages]).toEqual([[early[0]], 2]);
  });

  it('counts of a thread that is longer than what is looked at nothing of whom the reader ignores', async () => {
    const senders = [ALICE, BOB];
    const rows = await rowsLike(early[1]!, 3_000, (i) => [`$said${i}`, 'm.thread', 'm.room.message', senders[i % 2]!]);
    const counts = (userId: UserId, count: number): Write => {
      const value = JSON.stringify({ count, pos: positionOf(1) });
      return { collection: 'thread-senders', key: [room.roomId, parent, userId], value };
    };
    const [thread] = await store.scan('threads', { prefix: [room.roomId, parent], limit: 1 });
    const value = JSON.stringify({ ...(JSON.parse(thread!.value) as object), count: 3_001 });
    await store.write([
      ...rows,
      { collection: 'threads', key: thread!.key, value },
      counts(ALICE, 1_501),
      counts(BOB, 1_500),
    ]);
    const countFor = async (ignored: readonly UserId[]): Promise<number | undefined> => {
      const reader = await findRoomReader(views, room.roomId, { userId: ALICE, ignored: new Set(ignored) });
      const timeline = await store.scan('timeline', { prefix: [room.roomId], limit: 100 });
      const row = timeline.map((one) => parseRow(one.value)).find(({ header }) => header.eventId === parent);
      return (await readBundles(reader, [row!], {})).get(parent)?.thread?.count;
    };
    expect(await countFor([])).toBe(3_001);
    expect(await countFor([BOB])).toBe(1_501);
  });
});
