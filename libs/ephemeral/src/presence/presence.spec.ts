import { beforeEach, describe, expect, it } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { PresenceKept } from '../facts/presence-facts.js';
import { DueTimes } from './due-times.js';
import type { KeptPresence } from './kept-presence.js';
import { AWAY_MS, GONE_MS, IDLE_MS } from './device-presence.js';
import { RemotePresence } from './remote-presence.js';
import { Presence } from './presence.js';

const alice = '@alice:a.example' as UserId;
const requester: Requester = { userId: alice, deviceId: 'D' as DeviceId, isAdmin: false, requestId: '' };
const NOW = 1_700_000_000_000;

let elapsed: number;
let kept: Map<UserId, PresenceKept>;
let writes: number;
let presence: Presence;
let told: string[];

function start(isOn = true): Presence {
  const clock = { now: () => NOW + elapsed, elapsed: () => elapsed };
  const keeper: Pick<KeptPresence, 'find' | 'keep' | 'listPresent'> = {
    find: async (userId) => kept.get(userId),
    keep: async (userId, what) => {
      writes++;
      kept.set(userId, what);
    },
    async *listPresent() {
      for (const [userId, { present }] of kept) if (present) yield userId;
    },
  };
  const made = new Presence({ presence: isOn }, clock, keeper as KeptPresence, new RemotePresence(clock));
  made.onChange((userId, change) => told.push(`${made.find(userId)?.state} ${JSON.stringify(change)}`));
  return made;
}

beforeEach(() => {
  elapsed = 0;
  kept = new Map([[alice, {}]]);
  writes = 0;
  told = [];
  presence = start();
});

const pass = (ms: number): void => {
  elapsed += ms;
  presence.tick();
};

describe('presence', () => {
  const LOUD = '{"ofOthers":true,"wakes":true}';
  const QUIET = '{"ofOthers":true,"wakes":false}';

  it('tells what time makes of it, and wakes nobody because somebody is not just active any more', async () => {
    await presence.connect(requester, 'online');
    pass(IDLE_MS - 1);
    expect(told).toEqual([`online ${LOUD}`, `online ${QUIET}`]);
    pass(1_000);
    expect(told.slice(2)).toEqual([`unavailable ${LOUD}`]);
  });

  it('ends with the last stream of a device, a little later', async () => {
    const [first, second] = [await presence.connect(requester, 'online'), await presence.connect(requester, 'online')];
    first();
    first();
    pass(AWAY_MS);
    expect(presence.find(alice)?.state).toBe('online');
    second();
    pass(AWAY_MS + 1_000);
    expect(told.at(-1)).toBe(`offline ${LOUD}`);
  });

  it('keeps who comes and goes, and not that they come and go a little', async () => {
    for (let n = 0; n < 20; n++) {
      const end = await presence.connect(requester, 'online');
      end();
      pass(AWAY_MS + 1_000);
    }
    expect([writes, kept.get(alice)]).toEqual([1, { last_active: NOW, present: true }]);
    pass(GONE_MS);
    expect([writes, kept.get(alice)]).toEqual([2, { last_active: NOW }]);
  });

  it('says of who was there before a restart when they did something last', async () => {
    (await presence.connect(requester, 'online'))();
    elapsed = 0;
    presence = start();
    elapsed = 5_000;
    expect(await presence.get(alice)).toEqual({
      state: 'offline',
      currentlyActive: false,
      word: undefined,
      deviceType: undefined,
      statusMsg: undefined,
      lastActiveAgo: 5_000,
    });
    told = [];
    await presence.endGrace();
    expect([told, kept.get(alice)]).toEqual([[`offline ${LOUD}`], { last_active: NOW }]);
  });

  it('tells oneself alone that one hides where one was not there, and keeps that', async () => {
    await presence.choose(requester, { state: 'hidden' }, 'psst');
    expect(told).toEqual(['hidden {"ofOthers":false,"wakes":true}']);
    expect(kept.get(alice)).toEqual({ choice: 'hidden', status_msg: 'psst' });
    presence = start();
    await presence.connect(requester, 'online');
    expect(presence.find(alice)?.state).toBe('hidden');
  });

  it('is nothing where it is off, and of whom there is no account', async () => {
    const stranger = { ...requester, userId: '@nobody:a.example' as UserId };
    await presence.connect(stranger, 'online');
    await presence.choose(stranger, { state: 'online' }, undefined);
    const off = start(false);
    await off.connect(requester, 'online');
    await off.choose(requester, { state: 'online' }, 'here');
    off.act(alice, requester.deviceId);
    expect([told, writes, presence.size, off.size]).toEqual([[], 0, 0, 0]);
  });

  it('is not known of a closed account any more, whoever has a stream open yet', async () => {
    const end = await presence.connect(requester, 'online');
    kept.delete(alice);
    presence.forget(alice);
    end();
    presence.act(alice, requester.deviceId);
    pass(GONE_MS);
    expect([told.at(-1), await presence.get(alice), kept.size]).toEqual([`offline ${LOUD}`, undefined, 0]);
  });
});

describe('times at which to look again', () => {
  it('are to the second, one for each', () => {
    const due = new DueTimes<string>();
    due.set('a', 1_500);
    due.set('b', 2_500);
    due.set('c', Infinity);
    due.set('a', 2_000);
    expect([due.take(1_999), due.size]).toEqual([[], 2]);
    expect(due.take(2_000)).toEqual(['a']);
    due.set('b', Infinity);
    expect([due.take(9_000), due.size]).toEqual([[], 0]);
  });
});
