import { expect, it, onTestFinished } from 'vitest';
import { openKurrentEventStore } from '#event-store/kurrentdb/kurrentdb-event-store';
import { LogHistory } from '#event-store/log-history';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { systemClock } from '#kernel/clock';
import type { DeviceId, RoomId, UserId } from '#kernel/ids';
import { FACT_SHAPES } from '#processes/fact-shapes';
import type { Views } from '#projections/views';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { DEFAULT_APPEND_BYTES } from '#testing/kurrentdb-stand-in/stand-in-log';
import { slidingStream } from '../facts/sliding-facts.js';
import { SlidingConnections } from './sliding-connections.js';
import { NOTHING_TOLD, type ToldChange } from './told-state.js';
import { WantedState } from './wanted-state.js';
import { WantedStates } from './wanted-states.js';

const DEVICE = { userId: '@alice:x' as UserId, deviceId: 'D' as DeviceId };
const STREAM = slidingStream([DEVICE.userId, DEVICE.deviceId]);
const ROOMS = Array.from({ length: 20_000 }, (_, n) => `!${String(n).padStart(42, 'x')}` as RoomId);
const PART = 5_000;

function tells(rooms: readonly RoomId[], limit: number): ToldChange {
  const told = { upTo: undefined, state: WantedState.NOTHING, limit, marks: 0 };
  return { ...NOTHING_TOLD, rooms: new Map(rooms.map((roomId) => [roomId, told])) };
}

it('goes on for small connections where a log takes 1 MB at once, and lets one begin anew that cannot be summed up', async () => {
  const server = await startKurrentStandIn({ maxAppendBytes: DEFAULT_APPEND_BYTES });
  onTestFinished(() => server.close());
  const store = new TodaysEventStore(
    await openKurrentEventStore(server.url, { patienceMs: 60_000 }),
    FACT_SHAPES,
    ROOM_PARTS,
  );
  onTestFinished(() => store.close());
  const open = (): SlidingConnections =>
    new SlidingConnections(
      store,
      systemClock,
      { history: LogHistory.UNBROKEN } as Views, // only the history is ever asked for
      new WantedStates(),
    );
  const types = async (): Promise<string[]> => {
    const all: string[] = [];
    for await (const { type } of store.readStream(STREAM)) all.push(type);
    return all;
  };
  const connections = open();
  let large: number | null = null;
  const tellAll = async (limit: number): Promise<void> => {
    for (let at = 0; at < ROOMS.length; at += PART) {
      large = await connections.note(DEVICE, 'large', large, tells(ROOMS.slice(at, at + PART), limit));
      await connections.find(DEVICE, 'large', large);
    }
  };
  await tellAll(1);
  const small = await connections.note(DEVICE, 'small', null, tells(ROOMS.slice(0, 2), 7));
  await tellAll(2);
  expect((await open().find(DEVICE, 'large', large!))?.rooms.get(ROOMS.at(-1)!)?.limit).toBe(2);
  // What was told counts twice by now, and is summed up behind the next answer.
  await expect(tellAll(3)).rejects.toMatchObject({ errcode: 'M_UNKNOWN_POS' });
  await expect.poll(types).toEqual(['sliding-summed-up']);
  for (const each of [connections, open()]) {
    expect(await each.find(DEVICE, 'large', large!)).toBeUndefined();
    expect((await each.find(DEVICE, 'small', small))?.rooms.get(ROOMS[0]!)?.limit).toBe(7);
  }
});
