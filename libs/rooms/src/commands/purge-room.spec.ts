import { beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import { ALICE, BOB, LocalRoom, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { NO_VIEWS } from '#testing/no-views';
import { roomStream } from '../facts/room-facts.js';
import { RoomSnapshots } from '../worker/room-snapshots.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { ContinuePurge, ContinuePurgeHandler } from './continue-purge.js';
import { PurgeRoom, PurgeRoomHandler } from './purge-room.js';

const SERVER = { actor: 'server' };
const DAVE = '@dave:b.example' as UserId;
const UNKNOWN = { errcode: 'M_FORBIDDEN', message: expect.stringContaining('there is no such room') };

let log: MemoryEventStore;
let room: LocalRoom;
let workers: RoomWorkers;
let readModels: MemoryReadModels;
let snapshots: RoomSnapshots;

function workersOn(): RoomWorkers {
  readModels = new MemoryReadModels();
  snapshots = new RoomSnapshots(log, readModels, (_, error) => {
    throw error;
  });
  return new RoomWorkers({ store: log, snapshots, views: NO_VIEWS, author: TEST_AUTHOR, clock: { now: () => 1_000 } });
}

beforeEach(async () => {
  log = new MemoryEventStore();
  room = await LocalRoom.begin(log);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  workers = workersOn();
});

const purge = (on = workers): Promise<unknown> =>
  new PurgeRoomHandler(on, TEST_AUTHOR).execute(new PurgeRoom(room.roomId, SERVER));

async function facts(): Promise<RecordedFact[]> {
  const found: RecordedFact[] = [];
  for await (const fact of log.readStream(roomStream(room.roomId))) found.push(fact);
  return found;
}

/** Purges all of it, with nothing left in the log. */
async function purgeWhole(): Promise<void> {
  await purge();
  const { revision } = (await facts()).at(-1)!;
  const next = { room_version: room.version.id, up_to: revision - 1 };
  await new ContinuePurgeHandler(workers, snapshots).execute(new ContinuePurge(room.roomId, revision, next));
  await log.truncate(roomStream(room.roomId), revision + 1);
}

const speak = (on: RoomWorkers): Promise<unknown> =>
  on.run(room.roomId, { actor: ALICE }, (turn) => turn.send({ type: 'm.x', sender: ALICE, content: {} }));

describe('a purge', () => {
  it.each([
    ['is in the room', undefined],
    ['is invited', 'invite'],
    ['knocks', 'knock'],
  ])('is refused while somebody of this server %s', async (_, membership) => {
    const invitation = { type: 'm.room.member', stateKey: BOB, content: { membership: 'invite' } };
    if (membership === 'invite') await room.send(invitation);
    if (membership === 'knock') {
      await room.setState('m.room.join_rules', { join_rule: 'knock' });
      await room.setMembership(BOB, 'knock');
    }
    if (membership !== undefined) await room.setMembership(ALICE, 'leave');
    const before = await facts();
    await expect(purge()).rejects.toThrow('is in the room, or invited, or knocks');
    expect(await facts()).toEqual(before);
  });

  it('is for rooms that only users of other servers are in', async () => {
    await room.setMembership(DAVE, 'join');
    await room.setMembership(ALICE, 'leave');
    await purge();
    expect((await facts()).at(-1)).toMatchObject({ type: 'room-purged' });
    await expect(speak(workers)).rejects.toMatchObject(UNKNOWN);
  });

  it('begins once, and is of a room that is there', async () => {
    await room.setMembership(ALICE, 'leave');
    await purge();
    await purge();
    expect((await facts()).filter(({ type }) => type === 'room-purged')).toHaveLength(1);
    const other = new PurgeRoom('!other:a.example' as RoomId, SERVER);
    await expect(new PurgeRoomHandler(workers, TEST_AUTHOR).execute(other)).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    });
    await purgeWhole();
    await expect(purge()).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
  });

  it('goes on behind the last of its facts alone', async () => {
    await room.setMembership(ALICE, 'leave');
    await purge();
    const { revision } = (await facts()).at(-1)!;
    const next = { room_version: room.version.id, more: true as const, up_to: 3 };
    for (let twice = 0; twice < 2; twice++)
      await new ContinuePurgeHandler(workers, snapshots).execute(new ContinuePurge(room.roomId, revision, next));
    expect((await facts()).filter(({ type }) => type === 'room-purged')).toHaveLength(2);
  });

  it('lets go of what warms the room up, and of no other’s, also where it was killed before that', async () => {
    await room.setMembership(ALICE, 'leave');
    await purge();
    const { revision } = (await facts()).at(-1)!;
    const next = { room_version: room.version.id, up_to: revision - 1 };
    const keptOf = (roomId: string) => ({ collection: 'room-snapshots', key: [roomId, 'head'], value: '{}' });
    for (let twice = 0; twice < 2; twice++) {
      await readModels.write([keptOf(room.roomId), keptOf('!other:a.example')]);
      await new ContinuePurgeHandler(workers, snapshots).execute(new ContinuePurge(room.roomId, revision, next));
      const left = await readModels.scan('room-snapshots', { limit: 9 });
      expect(left.map(({ key }) => key[0])).toEqual(['!other:a.example']);
    }
  });
});

describe('a room that was purged', () => {
  it('is none to a process that had it in memory, though another one purged it, nor to one that begins then', async () => {
    const others = workersOn();
    await speak(others);
    await room.setMembership(ALICE, 'leave');
    await purgeWhole();
    for (const each of [others, workersOn()]) {
      for (let twice = 0; twice < 2; twice++) await expect(speak(each)).rejects.toMatchObject(UNKNOWN);
      expect(each.findVersion(room.roomId)).toBeUndefined();
    }
  });

  it('is none either where the log lets go of what it was and has not come to the end of that', async () => {
    await room.setMembership(ALICE, 'leave');
    await purge();
    await log.truncate(roomStream(room.roomId), 2);
    await expect(speak(workersOn())).rejects.toMatchObject(UNKNOWN);
  });
});
