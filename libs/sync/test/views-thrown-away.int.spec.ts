import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterEach, expect, it } from 'vitest';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { openMongoReadModels } from '#read-models/mongodb/mongodb-read-model-store';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import type { ReadModelStore } from '#read-models/read-model-store';
import type { ServerKeys } from '#rooms/server-keys';
import { TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { factsOf, Receiver, tellAccepted } from '#testing/receiving/receiver';
import { SyncApp } from '#testing/sync-app';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);

interface Place {
  open(): Promise<ReadModelStore>;
  /** Throws all away while it is open. */
  throwAway(): Promise<void>;
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const mongo = process.env['ANNALS_READ_MODELS_URL'];
const PLACES: Readonly<Record<string, (directory: string) => Place>> = {
  LMDB: (directory) => ({
    open: async () => openLmdbReadModels(join(directory, 'views')),
    throwAway: async () => rmSync(join(directory, 'views'), { recursive: true }),
  }),
  ...(mongo === undefined ? {} : { MongoDB: () => placeInMongo(mongo) }),
};

function placeInMongo(server: string): Place {
  const url = new URL(server);
  url.pathname = `/annals_thrown_away_${process.pid}`;
  const drop = async (): Promise<void> => {
    const client = await new MongoClient(url.href).connect();
    await client.db().dropDatabase();
    await client.close();
  };
  closing.push(drop);
  return { open: () => openMongoReadModels(url.href), throwAway: drop };
}

it.each(Object.keys(PLACES))(
  'views that are thrown away while events of other servers come answer nothing wrong, and are whole after the next start: %s',
  async (name) => {
    const directory = mkdtempSync(join(tmpdir(), 'annals-thrown-away-'));
    closing.push(async () => rmSync(directory, { recursive: true, force: true }));
    const place = PLACES[name]!(directory);
    const start = async (): Promise<SyncApp> => {
      const store = await openLmdbEventStore(join(directory, 'log'));
      return SyncApp.start({ store, readModels: await place.open() });
    };
    let app = await start();
    const alice = await app.register('alice');
    const roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
    const there = new MemoryRoom(roomId, findRoomVersion('11')!, KEYS);
    await tellAccepted(app, roomId, there);
    const made = async (draft: Omit<DraftOn, 'sender'>): Promise<ForeignPdu> => {
      const pdu = await makeOn(there, OTHER, { sender: BOB, ts: Date.now(), ...draft });
      await there.receive(pdu.text);
      return pdu;
    };
    const says = (body: string, prev?: readonly EventId[]) =>
      made({ type: 'm.room.message', content: { body }, ...(prev === undefined ? {} : { prev }) });
    const bobs = { type: 'm.room.member', stateKey: BOB, content: { membership: 'join' } };
    const first = [await made(bobs), await says('one'), await says('two'), await says('three')];
    const fork = await says('aside', [first[1]!.event.eventId]);
    await new Receiver(app, roomId, OTHER.name, KEYS).pdus(...first.map(({ text }) => text));
    await app.close();

    // Nothing of the room is in memory.
    app = await start();
    await place.throwAway();
    const receiver = new Receiver(app, roomId, OTHER.name, KEYS);
    const kinds: string[] = [];
    for (const { text } of [first[1]!, fork, await says('four')]) {
      const receipt = await receiver.pdus(text).catch((error: unknown) => {
        expect(error).toBeInstanceOf(ViewsUnavailable);
        return undefined;
      });
      kinds.push(...(receipt?.received ?? []).map(({ kind }) => kind));
    }
    expect(kinds).toEqual(name === 'LMDB' ? ['known', 'accepted', 'accepted'] : []);
    await app.close();

    app = await start();
    closing.push(() => app.close());
    const again = new Receiver(app, roomId, OTHER.name, KEYS);
    for (const { text } of [...first, fork]) await again.pdus(text);
    const accepted = (await factsOf(app, roomId)).flatMap(({ type, data }) =>
      type === 'pdu-accepted' ? [(JSON.parse(data) as { event_id: EventId }).event_id] : [],
    );
    expect(new Set(accepted).size).toBe(accepted.length);
    expect(accepted).toEqual(expect.arrayContaining([...first, fork].map(({ event }) => event.eventId)));
    await expectSameRowsRebuilt(app, ['graph', 'room-state', 'timeline']);
  },
  60_000,
);
