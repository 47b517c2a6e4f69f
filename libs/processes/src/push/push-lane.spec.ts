import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStoreUnavailable } from '#event-store/event-store-errors';
import type { DeviceId, EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { START } from '#kernel/position';
import type { PusherSet } from '#push/facts/pusher-facts';
import type { GatewayRequest } from '#push/gateway/notification';
import type { GatewayAnswer } from '#push/gateway/push-gateways';
import type { EventToPush, PushItem } from './push-item.js';
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
type Said = GatewayAnswer['kind'];

let told: (string | number)[];
let notes: boolean[];
let ended: string[];
let isIdle: boolean;
let now: number;
let unread: number;
/** Answers what the gateway says next. */
let answer: (request: GatewayRequest) => Said | Promise<Said>;
let pushers: PusherSet[];
let isGatewayAway: boolean;
let isHeld: boolean;
let lookAgain: () => void;
let noting: () => Promise<void>;
let endPause: () => void;
let memory: LaneMemory;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  [told, notes, ended, isIdle, now, unread, answer] = [[], [], [], false, 0, 1, () => 'taken'];
  [pushers, isGatewayAway, isHeld, noting] = [[PUSHER], false, false, async () => {}];
  memory = { sent: undefined, setAt: 0 };
});
afterEach(() => void vi.useRealTimers());

function open(isBehind = false): PushLane {
  return new PushLane(
    ALICE,
    URL,
    {
      notify: async (_, make) => {
        const taken: PusherSet[] = [];
        let kind: Said = 'nothing';
        for (const request of await make()) {
          const said = await answer(request);
          if (said === 'taken') {
            told.push(nameOf(request.body));
            taken.push(...request.pushers);
          }
          if (kind !== 'refused' || said === 'away') kind = said;
          if (said === 'away') break;
        }
        return { kind, told: taken, rejected: [] };
      },
      isAway: () => isGatewayAway,
      pause: () => new Promise((resolve) => (endPause = resolve)),
      pushersOf: async () => pushers,
      badgeOf: async () => ({ unread, newest: undefined, hasUnread: () => true, isInvitedTo: () => false }),
      newestOf: async () => (unread === 0 ? undefined : event('the newest').event),
      prepare: async (_, { askRules } = {} as EventToPush) => (await askRules?.()) ?? true,
      isHeldBack: async () => isHeld,
      waitHeld: () => new Promise((resolve) => (lookAgain = resolve)),
      removeRejected: async () => {},
      noteBehind: async (_, __, behind) => {
        await noting();
        notes.push(behind);
      },
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

function event(
  name: string,
  isDue: () => boolean = () => true,
  roomId = '!r',
): PushItem & { readonly event: EventToPush } {
  const known = {
    eventId: name as EventId,
    roomId: roomId as RoomId,
    type: 'm.room.message',
    sender: ALICE,
    content: {},
  };
  const unnamed = { senderName: undefined, roomName: undefined, roomAlias: undefined };
  const place = { roomId: known.roomId, position: START };
  const due = { ...place, tweaksFor: () => ({}), isDue, describe: async () => ({ ...known, ...unnamed }) };
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
    answer = () => 'away';
    for (let i = 0; i < 25; i++) lane.add(event(`${i}`));
    await rest();
    // That which is told now, and nineteen of the others.
    expect(ended).toEqual(['1', '2', '3', '4', '5']);
    now = 9_000;
    expect([lane.isOverdue(false), lane.isOverdue(true)]).toEqual([false, true]);
    now = 11_000;
    expect(lane.isOverdue(false)).toBe(true);
    await lane.note();
    expect(lane.isOverdue(true)).toBe(false);
    expect(notes).toEqual([true]);
    expect(ended).toHaveLength(25);
    lane.add(event('late'));
    expect(ended).toContain('late');
    answer = () => 'taken';
    endPause();
    await rest();
    expect(told).toEqual(['0', ...Array.from({ length: 18 }, (_, i) => `${i + 7}`), 'late']);
    expect(notes).toEqual([true, false]);
  });

  it('is of many that wait the newest of each room', async () => {
    const lane = open();
    answer = () => 'away';
    lane.add(event('now'));
    lane.add(event('of a friend', undefined, '!friend'));
    for (let i = 0; i < 30; i++) lane.add(event(`${i}`));
    await rest();
    expect(ended).not.toContain('of a friend');
    answer = () => 'taken';
    endPause();
    await rest();
    expect(told.slice(0, 3)).toEqual(['now', 'of a friend', '12']);
    expect(told).toHaveLength(20);
  });

  it('is owed by the log after a minute where it only waits for its turn, and sooner where facts crowd', async () => {
    const lane = open();
    answer = () => new Promise(() => {});
    lane.add(event('a'));
    await rest();
    now = 11_000;
    expect([lane.isOverdue(false), lane.isOverdue(true)]).toEqual([false, true]);
    now = 61_000;
    expect(lane.isOverdue(false)).toBe(true);
    [now, isGatewayAway] = [11_000, true];
    expect(lane.isOverdue(false)).toBe(true);
  });

  it('does not depend on other pushers of the gateway: what is refused is told each alone, and nobody is told twice', async () => {
    pushers = ['good', 'bad', 'short'].map((pushkey) => ({ ...PUSHER, pushkey }));
    pushers[2] = { ...pushers[2]!, data: { url: URL, format: 'event_id_only' } };
    const lane = open();
    const keys: string[][] = [];
    answer = (request) => {
      keys.push(request.pushers.map(({ pushkey }) => pushkey));
      return request.pushers.some(({ pushkey }) => pushkey === 'bad') ? 'refused' : 'taken';
    };
    lane.add(event('a'));
    for (let i = 0; i < 5; i++) {
      await rest();
      endPause();
    }
    await rest();
    expect(keys).toEqual([['good', 'bad'], ['short'], ['good'], ['bad'], ['bad'], ['bad'], ['bad']]);
    expect([told, ended]).toEqual([['a', 'a'], ['a']]);
  });

  it('is told those alone who were not told before the gateway went away', async () => {
    pushers = [PUSHER, { ...PUSHER, pushkey: 'short', data: { url: URL, format: 'event_id_only' } }];
    const lane = open();
    const keys: string[] = [];
    answer = (request) => {
      keys.push(request.pushers[0]!.pushkey);
      return keys.length === 2 ? 'away' : 'taken';
    };
    lane.add(event('a'));
    await rest();
    endPause();
    await rest();
    expect(keys).toEqual(['key', 'short', 'short']);
  });

  it('is the newest event where a former process owed it something, and that is noted as told also after an outage', async () => {
    const lane = open(true);
    let outages = 1;
    noting = async () => {
      if (outages-- > 0) throw new EventStoreUnavailable('the log is away');
    };
    lane.add({ isOwed: true, since: now, ended: end('owed') });
    await rest();
    expect([told, notes]).toEqual([['the newest'], []]);
    vi.useRealTimers();
    await expect.poll(() => notes).toEqual([false]);
    expect(isIdle).toBe(true);
  });

  it('is the number where a former process owed it something, and nothing is unread any more', async () => {
    unread = 0;
    const lane = open(true);
    lane.add({ isOwed: true, since: now, ended: end('owed') });
    await rest();
    expect([told, notes, isIdle]).toEqual([[0], [false], true]);
  });

  it('is given up where it refuses it again and again, and not what comes after', async () => {
    const lane = open();
    let asked = 0;
    answer = () => (++asked > 5 ? 'taken' : 'refused');
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
    answer = () => 'away';
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

  it('waits while its user is active, where they want it so, and the numbers do not', async () => {
    isHeld = true;
    const lane = open();
    for (const name of ['a', 'b']) lane.add(event(name));
    await rest();
    lane.add(number('read'));
    lookAgain();
    await rest();
    expect(told).toEqual([1]);
    [isHeld, unread] = [false, 2];
    lookAgain();
    await rest();
    expect(told).toEqual([1, 'a', 'b']);
    expect(ended.toSorted()).toEqual(['a', 'b', 'read']);
  });

  it('is nothing of what rules that take a while do not let be told, but the number that is owed with it', async () => {
    const lane = open();
    const silent = (name: string): PushItem => {
      const item = event(name);
      return { ...item, event: { ...item.event, askRules: async () => false } };
    };
    lane.add(silent('a'));
    await rest();
    expect([told, ended]).toEqual([[], ['a']]);
    lane.add(number('read'));
    lane.add(silent('b'));
    await rest();
    expect([told, ended]).toEqual([[1], ['a', 'read', 'b']]);
  });
});
