import { afterAll, beforeAll, expect, it } from 'vitest';
import { UserRedactions } from '#admin/redactions/user-redactions';
import type { RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { TEST_AUTHOR } from '#testing/local-room';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { type DraftOn, makeOn } from '#testing/receiving/make-on';
import { keysKnownTo, MemoryRoom } from '#testing/receiving/memory-room';
import { Receiver, tellAccepted } from '#testing/receiving/receiver';
import { roomPath, SyncApp } from '#testing/sync-app';

const OTHER = new ForeignServer('b.example', 2);
const BOB = OTHER.user('bob');

let app: SyncApp;
beforeAll(async () => {
  app = await SyncApp.start();
});
afterAll(() => app.close());

it('redacts of a user what was fetched from the past, too, behind all that was news', async () => {
  const alice = await app.register('alice');
  const roomId = (await alice.createRoom({ preset: 'public_chat', room_version: '11' })) as RoomId;
  const keys = keysKnownTo(TEST_AUTHOR, OTHER);
  const there = new MemoryRoom(roomId, findRoomVersion('11')!, keys);
  await tellAccepted(app, roomId, there);
  const receiver = new Receiver(app, roomId, OTHER.name, keys);
  const make = async (draft: Partial<DraftOn>) => {
    const pdu = await makeOn(there, OTHER, { type: 'm.room.message', sender: BOB, content: {}, ...draft });
    await there.receive(pdu.text);
    return pdu;
  };
  const join = await make({ type: 'm.room.member', stateKey: BOB, content: { membership: 'join' } });
  await receiver.pdus(join.text);
  const old = await make({ content: { body: 'long ago' } });
  await receiver.past(old.text);
  const news = await make({ content: { body: 'news' } });
  await receiver.pdus(news.text);
  const bodies = async (): Promise<unknown[]> => {
    const paths = [old, news].map(({ event }) => `${roomPath(roomId)}/event/${encodeURIComponent(event.eventId)}`);
    return (await Promise.all(paths.map((path) => alice.ok('GET', path)))).map(({ content }) => content.body);
  };
  const redactions = app.get(UserRedactions);
  const redact = async (limit: number): Promise<void> => {
    const wanted = { userId: BOB, rooms: [roomId], limit, from: 0, to: Infinity };
    const id = redactions.begin(wanted, { reason: 'unlawful' }, 'request');
    await expect.poll(() => redactions.find(id)).toEqual({ status: 'complete', failed: new Map() });
  };
  expect(await bodies()).toEqual(['long ago', 'news']);
  await redact(1);
  expect(await bodies()).toEqual(['long ago', undefined]);
  await redact(2);
  expect(await bodies()).toEqual([undefined, undefined]);
});
