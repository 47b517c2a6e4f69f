import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#kernel/clock';
import type { RoomId, UserId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { Joining } from '#rooms/joining/joining';
import { ExtremityMerging } from '#rooms/commands/merge-extremities';
import { InvitePermissions } from '#rooms/commands/invite-permissions';
import { ReceivePdus, ReceivePdusHandler } from '#rooms/commands/receive-pdus';
import { ReceiveRoomHandler } from '#rooms/commands/receive-room';
import { Receiving } from '#rooms/commands/receiving';
import { allowAll } from '#rooms/room-policy';
import { RoomWorkers } from '#rooms/worker/room-workers';
import { TEST_AUTHOR } from '#testing/local-room';
import { ForeignServer } from '#testing/receiving/foreign-server';
import type { DraftOn } from '#testing/receiving/make-on';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { makeRoomToTell, type RoomToTell, tellRoom } from '#testing/receiving/told-room';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

/** What /sync tells of a room of another server that somebody here joins. */

interface Event {
  readonly event_id: string;
  readonly type: string;
  readonly state_key?: string;
}

/** As this server signs. */
const HERE = Object.assign(new ForeignServer(TEST_AUTHOR.serverName, 3), { signingKey: TEST_AUTHOR.signingKey });

let app: SyncApp;
let alice: SyncUser;
let roomId: RoomId;
let since: string;

beforeAll(async () => {
  app = await SyncApp.start();
  alice = await app.register('alice');
  since = (await alice.sync()).next_batch;
  roomId = await joinedBy(alice, new ForeignServer('b.example', 2));
});
afterAll(() => app.close());

/** A room of a server that somebody joins. */
async function joinedBy(who: SyncUser, there: ForeignServer, more: readonly DraftOn[] = []): Promise<RoomId> {
  return (await takenInBy(who, there, more)).roomId;
}

/** The same, with all that happened there. */
async function takenInBy(
  { userId }: SyncUser,
  there: ForeignServer,
  more: readonly DraftOn[] = [],
): Promise<RoomToTell> {
  const told = await makeRoomToTell(findRoomVersion('11')!, there, HERE, userId as UserId, more);
  const workers = app.get(RoomWorkers);
  const receiving = new Receiving(workers, keysKnownTo(TEST_AUTHOR, there), app.get(InvitePermissions), allowAll);
  const joined = await new ReceiveRoomHandler(workers, receiving, app.get(Joining)).execute(tellRoom(told, there));
  if (joined.kind !== 'joined') throw new Error(joined.reason);
  await app.views.whenProcessed(joined.position);
  return told;
}

/** Fetches what happened in a room before somebody here joined it. */
async function fetchPast({ roomId: id, events }: RoomToTell, there: ForeignServer): Promise<void> {
  const workers = app.get(RoomWorkers);
  const receiving = new Receiving(workers, keysKnownTo(TEST_AUTHOR, there), app.get(InvitePermissions), allowAll);
  const merging = new ExtremityMerging(workers, app.views, TEST_AUTHOR, systemClock);
  const texts = events.map(({ text }) => text);
  const command = new ReceivePdus(there.name, id, texts, { isHistory: true });
  const { position } = await new ReceivePdusHandler(receiving, merging).execute(command);
  await app.views.whenProcessed(position!);
}

type Params = Readonly<Record<string, string | boolean | object>>;

const keyOf = ({ type, state_key: key }: Event): string => `${type} ${key}`;

/** The state as a client has it by an answer, by the keys. */
function stateBy(room: Readonly<Record<string, { readonly events: readonly Event[] }>>): Map<string, string> {
  const { state, state_after: after, timeline } = room;
  const told = [...(after ?? state)!.events, ...(after === undefined ? timeline!.events : [])];
  return new Map(told.flatMap((event) => (event.state_key === undefined ? [] : [[keyOf(event), event.event_id]])));
}

describe('who has joined a room of another server', () => {
  it('is told all of its state, before the join too, as GET of the state has it', async () => {
    const all: Event[] = await alice.ok('GET', `${roomPath(roomId)}/state`);
    const expected = new Map(all.map((event) => [keyOf(event), event.event_id]));
    expect(expected.size).toBeGreaterThan(8);
    const hows: Params[] = [{}, { since }, { use_state_after: true }, { since, use_state_after: true }];
    for (const how of hows) {
      const room = (await alice.sync(how)).rooms.join[roomId];
      expect(stateBy(room), JSON.stringify(how)).toEqual(expected);
    }
  });

  it('is told of its members the first to speak, where they are loaded lazily', async () => {
    const filter = { room: { state: { lazy_load_members: true } } };
    const hows: Params[] = [{ filter }, { filter, since }];
    for (const how of hows) {
      const { state, timeline } = (await alice.sync(how)).rooms.join[roomId];
      const told = [...state.events, ...timeline.events] as Event[];
      expect(told.filter(({ type }) => type === 'm.room.member').map(({ state_key: key }) => key)).toEqual([
        alice.userId,
      ]);
      expect(told.map(({ type }) => type)).toContain('m.room.name');
    }
  });

  it('is told the same of an event of that state by its id, and not that they were there at it', async () => {
    const there = new ForeignServer('c.example', 4);
    const sender = there.user('alice');
    const content = { history_visibility: 'joined' };
    const other = await joinedBy(alice, there, [
      { type: 'm.room.history_visibility', sender, stateKey: '', content },
      { type: 'm.room.topic', sender, stateKey: '', content: { topic: 'for members' } },
    ]);
    const state = await alice.ok('GET', `${roomPath(other)}/state`);
    const topic = (state as Event[]).find(({ type }) => type === 'm.room.topic')!;
    const alone = await alice.ok('GET', `${roomPath(other)}/event/${encodeURIComponent(topic.event_id)}`);
    for (const event of [topic, alone]) {
      expect(event).toMatchObject({ content: { topic: 'for members' }, unsigned: { membership: 'leave' } });
    }
  });

  it('is told at a member event of theirs what that made them', async () => {
    const there = new ForeignServer('d.example', 5);
    const bob = await app.register('bob');
    const invite = { sender: there.user('alice'), stateKey: bob.userId, content: { membership: 'invite' } };
    const other = await joinedBy(alice, there, [{ type: 'm.room.member', ...invite }]);
    const invited = (await alice.ok('GET', `${roomPath(other)}/state`)).find(
      ({ state_key: key }: Event) => key === bob.userId,
    );
    await bob.ok('POST', `/join/${encodeURIComponent(other)}`, {});
    const event = await bob.ok('GET', `${roomPath(other)}/event/${encodeURIComponent(invited.event_id)}`);
    expect(event.unsigned.membership).toBe('invite');
  });

  it('is led from the first answer to what happened before, once that was fetched', async () => {
    const there = new ForeignServer('e.example', 6);
    const told = await takenInBy(alice, there);
    const { timeline } = (await alice.sync()).rooms.join[told.roomId];
    expect([timeline.events.length, timeline.limited]).toEqual([1, true]);
    await fetchPast(told, there);
    const path = `${roomPath(told.roomId)}/messages?dir=b&limit=1&from=${timeline.prev_batch}`;
    const { chunk, end } = await alice.ok('GET', path);
    expect(chunk).toMatchObject([{ type: 'm.room.message', content: { body: 'hello' } }]);
    expect(end).toBeDefined();
  });

  it('is told what a redaction left of that state, also once the event was fetched, though nobody shows them the redaction', async () => {
    const there = new ForeignServer('f.example', 7);
    const sender = there.user('alice');
    const users = { [sender]: 100, [alice.userId]: 100 };
    const told = await takenInBy(alice, there, [
      { type: 'm.room.topic', sender, stateKey: '', content: { topic: 'rude' } },
      { type: 'm.room.name', sender, stateKey: '', content: { name: 'rude' } },
      { type: 'm.room.power_levels', sender, stateKey: '', content: { users } },
    ]);
    const path = roomPath(told.roomId);
    const filter = { room: { timeline: { types: ['m.room.message'] } } };
    let { next_batch: next } = await alice.sync({ filter });
    for (const type of ['m.room.topic', 'm.room.name']) {
      const { event_id: id } = await alice.ok('GET', `${path}/state/${type}?format=event`);
      await alice.ok('PUT', `${path}/redact/${encodeURIComponent(id)}/${type}`, {});
      const { rooms, next_batch: then } = await alice.sync({ filter, since: next });
      expect(rooms.join[told.roomId].state.events).toMatchObject([{ event_id: id, content: {} }]);
      next = then;
      await fetchPast(told, there);
    }
  });
});
