import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DeviceId, EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { PusherSet } from '#push/facts/pusher-facts';
import type { GatewayAnswer } from '#push/gateway/push-gateways';
import type { PushItem } from './push-item.js';
import { type LaneMemory, PushLane } from './push-lane.js';

const ALICE = '@alice:a.example' as UserId;
const URL = 'https://push.example/_matrix/push/v1/notify';
const PUSHER: PusherSet = {
  app_id: 'app',
  pushkey: 'key',
  kind: 'http',
  app_display_name: 'App',
  device_display_name: 'Phone',
  lang: 'en',
  data: { url: URL },
  enabled: true,
  device_id: 'PHONE' as DeviceId,
  set_at: 1,
};
const TAKEN: GatewayAnswer = { kind: 'taken', rejected: [] };
const AWAY: GatewayAnswer = { kind: 'away', reason: 'answers 502' };

let told: (string | number)[];
let notes: boolean[];
let ended: string[];
let isIdle: boolean;
let now: number;
let unread: number;
/** Answers what the gateway says next. */
let answer: () => GatewayAnswer | Promise<GatewayAnswer>;
let endPause: () => void;
let memory: LaneMemory;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  [told, notes, ended, isIdle, now, unread, answer] = [[], [], [], false, 0, 1, () => TAKEN];
  memory = { sent: undefined };
});
afterEach(() => void vi.useRealTimers());

function open(isBehind = false): PushLane {
  return new PushLane(
    ALICE,
    URL,
    {
      notify: async (_, make) => {
        const bodies = await make();
        if (bodies.length === 0) return { kind: 'nothing' };
        const said = await answer();
        if (said.kind === 'taken') told.push(...bodies.map(nameOf));
        return said;
      },
      pause: () => new Promise((resolve) => (endPause = resolve)),
      pushersOf: async () => [PUSHER],
      badgeOf: async () => ({ unread, newest: undefined, hasUnread: () => true, isInvitedTo: () => false }),
      holdBack: async () => {},
      removeRejected: async () => {},
      noteBehind: async (_, __, behind) => void notes.push(behind),
      failed: (error) => {
        throw error;
      },
      elapsed: () => now,
      ending: new AbortController().signal,
    },
    memory,
    { isBehind, onIdle: () => (isIdle = true) },
  );
}

/** What an event that is told is called, or the number that is told alone. */
function nameOf({ notification }: JsonObject): string | number {
  const { event_id: id, counts } = notification as { event_id?: string; counts: { unread: number } };
  return id ?? counts.unread;
}

const end = (name: string) => (): void => void ended.push(name);

function event(name: string, isDue: () => boolean = () => true): PushItem {
  const known = {
    eventId: name as EventId,
    roomId: '!r' as RoomId,
    type: 'm.room.message',
    sender: ALICE,
    content: {},
  };
  const unnamed = { senderName: undefined, roomName: undefined, roomAlias: undefined };
  const due = { tweaksFor: async () => ({}), isDue, describe: async () => ({ ...known, ...unnamed }) };
  return { event: due, since: now, ended: end(name) };
}

const number = (name: string): PushItem => ({ since: now, ended: end(name) });
async function rest(): Promise<void> {
  for (let i = 0; i < 5; i++) await nextTurn();
}

describe('what a gateway is told of a user', () => {
  it('comes one after another, and a number with the event that comes before its time', async () => {
    const lane = open();
    lane.add(number('read'));
    lane.add(event('a'));
    lane.add(event('b'));
    await rest();
    expect(told).toEqual(['a', 'b']);
    expect(ended).toEqual(['read', 'a', 'b']);
    expect([isIdle, memory.sent]).toEqual([true, 1]);
  });

  it('is one number for all that was read within a second, and none that it knows', async () => {
    const lane = open();
    for (const name of ['one', 'two']) lane.add(number(name));
    expect(told).toEqual([]);
    unread = 0;
    vi.advanceTimersByTime(1_000);
    await rest();
    expect(told).toEqual([0]);
    lane.add(number('three'));
    vi.advanceTimersByTime(1_000);
    await rest();
    expect(told).toEqual([0]);
    expect(ended.toSorted()).toEqual(['one', 'three', 'two']);
  });

  it('is no event that was read meanwhile, but the number where it was told another one', async () => {
    const lane = open();
    lane.add(event('a', () => false));
    await rest();
    expect(told).toEqual([]);
    lane.add(event('b'));
    await rest();
    unread = 0;
    lane.add(event('c', () => false));
    await rest();
    expect(told).toEqual(['b', 0]);
  });

  it('waits while it is away, the newest twenty events of it, and is owed by the log after ten seconds', async () => {
    const lane = open();
    answer = () => AWAY;
    for (let i = 0; i < 25; i++) lane.add(event(`${i}`));
    await rest();
    // That which is told now, and nineteen of the others.
    expect(ended).toEqual(['1', '2', '3', '4', '5']);
    now = 9_000;
    await lane.look();
    expect(notes).toEqual([]);
    now = 11_000;
    await lane.look();
    expect(notes).toEqual([true]);
    expect(ended).toHaveLength(25);
    lane.add(event('late'));
    expect(ended).toContain('late');
    answer = () => TAKEN;
    endPause();
    await rest();
    expect(told).toEqual(['0', ...Array.from({ length: 18 }, (_, i) => `${i + 7}`), 'late']);
    expect(notes).toEqual([true, false]);
  });

  it('is given up where it refuses it again and again, and not what comes after', async () => {
    const lane = open();
    let asked = 0;
    answer = () => (++asked > 5 ? TAKEN : { kind: 'refused', status: 400 });
    for (const name of ['a', 'b']) lane.add(event(name));
    for (let i = 0; i < 5; i++) {
      await rest();
      endPause();
    }
    await rest();
    expect([told, ended]).toEqual([['b'], ['a', 'b']]);
  });

  it('is given up after a day', async () => {
    const lane = open();
    answer = () => AWAY;
    lane.add(event('a'));
    await rest();
    now = 25 * 3_600_000;
    endPause();
    await rest();
    expect([told, ended, isIdle]).toEqual([[], ['a'], true]);
  });

  it('is noted as told once all is that a former process owed it', async () => {
    const lane = open(true);
    lane.add(event('newest'));
    expect(ended).toEqual(['newest']);
    await rest();
    expect([told, notes]).toEqual([['newest'], [false]]);
  });
});
