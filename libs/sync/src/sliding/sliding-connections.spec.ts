import { beforeEach, describe, expect, it } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { type Clock, systemClock } from '#kernel/clock';
import type { DeviceId, RoomId, UserId } from '#kernel/ids';
import { FACT_SHAPES } from '#processes/fact-shapes';
import type { Views } from '#projections/views';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { MemoryEventStore } from '#testing/memory-event-store';
import { positionOf } from '#testing/position-of';
import { slidingStream } from '../facts/sliding-facts.js';
import { SlidingConnections } from './sliding-connections.js';
import { NOTHING_TOLD, type ToldChange } from './told-state.js';
import { WantedState } from './wanted-state.js';
import { WantedStates } from './wanted-states.js';

const DEVICE = { userId: '@alice:x' as UserId, deviceId: 'D' as DeviceId };
const STREAM = slidingStream([DEVICE.userId, DEVICE.deviceId]);
const ROOM = '!a:x' as RoomId;
const TOLD_ROOM = { upTo: undefined, state: WantedState.NOTHING, limit: 1, marks: 0 };
const tells = (limit: number): ToldChange => ({
  ...NOTHING_TOLD,
  rooms: new Map([[ROOM, { upTo: undefined, state: WantedState.NOTHING, limit, marks: 0 }]]),
});

describe('what connections were told', () => {
  let store: TodaysEventStore;
  // Only the history is ever asked for.
  const open = (history = LogHistory.UNBROKEN, clock: Clock = systemClock): SlidingConnections =>
    new SlidingConnections(store, clock, { history } as Views, new WantedStates());
  const facts = async (): Promise<string[]> => {
    const types: string[] = [];
    for await (const { type } of store.readStream(STREAM)) types.push(type);
    return types;
  };

  beforeEach(() => {
    store = new TodaysEventStore(new MemoryEventStore(), FACT_SHAPES, ROOM_PARTS);
  });

  it('is known to another process over the same log, as long as that is not put back', async () => {
    const revision = await open().note(DEVICE, 'c', null, tells(3));
    expect((await open().find(DEVICE, 'c', revision))?.rooms.get(ROOM)?.limit).toBe(3);
    const restored = new LogHistory([{ name: '0123abcd', agreed: positionOf(9) }]);
    expect(await open(restored).find(DEVICE, 'c', revision)).toBeUndefined();
  });

  it('stands in a short stream, however often it changes', async () => {
    const connections = open();
    let last = await connections.note(DEVICE, 'c', null, tells(0));
    const other = await connections.note(DEVICE, 'other', null, tells(7));
    for (let n = 1; n < 2_000; n++) {
      await connections.find(DEVICE, 'c', last);
      last = await connections.note(DEVICE, 'c', last, tells(n));
    }
    await expect.poll(async () => (await facts()).length).toBeLessThan(600);
    const again = open();
    expect((await again.find(DEVICE, 'c', last))?.rooms.get(ROOM)?.limit).toBe(1_999);
    expect((await again.find(DEVICE, 'other', other))?.rooms.get(ROOM)?.limit).toBe(7);
  });

  it('is refused for a connection that was begun anew meanwhile', async () => {
    const connections = open();
    const first = await connections.note(DEVICE, 'c', null, tells(1));
    await connections.note(DEVICE, 'c', null, tells(2));
    await expect(connections.note(DEVICE, 'c', first, tells(3))).rejects.toMatchObject({ errcode: 'M_UNKNOWN_POS' });
  });

  it('goes from the log with the device', async () => {
    const connections = open();
    const revision = await connections.note(DEVICE, 'c', null, tells(1));
    expect(await connections.close([DEVICE.userId, DEVICE.deviceId])).toBe(true);
    expect(await facts()).toEqual(['sliding-closed']);
    expect(await connections.find(DEVICE, 'c', revision)).toBeUndefined();
    expect(await connections.close([DEVICE.userId, DEVICE.deviceId])).toBe(false);
  });

  it('is not known any more a month after it was in use', async () => {
    const clock = { time: systemClock.now(), now: () => clock.time };
    const days = (n: number): number => n * 24 * 60 * 60_000;
    const connections = open(LogHistory.UNBROKEN, clock);
    let last = await connections.note(DEVICE, 'used', null, tells(3));
    const left = await connections.note(DEVICE, 'left', null, tells(3));
    for (let n = 0; n < 3; n++) {
      expect((await connections.find(DEVICE, 'used', last))?.isNoteDue).toBe(false);
      clock.time += days(11);
      expect((await connections.find(DEVICE, 'used', last))?.isNoteDue).toBe(true);
      last = await connections.note(DEVICE, 'used', last, NOTHING_TOLD);
    }
    for (const each of [connections, open(LogHistory.UNBROKEN, clock)]) {
      expect((await each.find(DEVICE, 'used', last))?.rooms.get(ROOM)?.limit).toBe(3);
      expect(await each.find(DEVICE, 'left', left)).toBeUndefined();
    }
  });

  it('is refused where more changed at once than a log takes, so that the client begins anew', async () => {
    const connections = open();
    const first = await connections.note(DEVICE, 'c', null, tells(1));
    const many = Array.from(
      { length: 20_000 },
      (_, n) => [`!${String(n).padStart(42, 'x')}` as RoomId, TOLD_ROOM] as const,
    );
    const change = { ...NOTHING_TOLD, rooms: new Map(many) };
    await expect(connections.note(DEVICE, 'c', first, change)).rejects.toMatchObject({ errcode: 'M_UNKNOWN_POS' });
    expect(await facts()).toEqual(['sliding-told']);
  });
});
