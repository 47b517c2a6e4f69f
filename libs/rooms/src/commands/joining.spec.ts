import { expect, it } from 'vitest';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { MemoryEventStore } from '#testing/memory-event-store';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { keysOf } from '#testing/receiving/memory-room';
import { makeRoomToTell, tellRoom } from '#testing/receiving/told-room';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { JoinLost } from '../worker/join-in-turn.js';
import { ReceiveRoom } from './receive-room.js';

const HERE = new ForeignServer('a.example', 1);
const OTHER = new ForeignServer('b.example', 2);
const ALICE = HERE.user('alice');
const VERSION = findRoomVersion('11')!;

it('lets a process from which another has taken a join of the room give up nothing but its own', async () => {
  const log = new MemoryEventStore();
  const start = (): RoomCommands =>
    new RoomCommands(new RoomViews(log), { serverName: HERE.name, signingKey: HERE.signingKey }, keysOf(HERE, OTHER));
  const [one, another] = [start(), start()];
  const { origin, roomId, told } = tellRoom(await makeRoomToTell(VERSION, OTHER, HERE, ALICE), OTHER);
  /** Tells the room; of the state that comes once `event` has happened, and `begun` hears when it is asked for. */
  const tell = (event: Promise<unknown>, begun: () => void): ReceiveRoom => {
    async function* state() {
      begun();
      await event;
      yield* told.state;
    }
    return new ReceiveRoom(origin, roomId, VERSION, { ...told, state: state() });
  };
  let hearFirst = () => {};
  let hearSecond = () => {};
  const isFirstBegun = new Promise<void>((resolve) => (hearFirst = resolve));
  const isSecondBegun = new Promise<void>((resolve) => (hearSecond = resolve));
  const first: Promise<unknown> = one.execute(tell(isSecondBegun, hearFirst)).catch((error: unknown) => error);
  await isFirstBegun;
  const second = await another.execute(tell(first, hearSecond));
  expect(await first).toBeInstanceOf(JoinLost);
  expect(second).toMatchObject({ kind: 'joined' });
  expect(one.facts(roomId, 'join-given-up')).toHaveLength(1);
  expect(await another.membership(roomId, ALICE)).toBe('join');
});
