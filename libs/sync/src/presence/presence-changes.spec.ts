import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SubscriberListener, Subscribers } from '#ephemeral/lists/subscribers';
import type { Presence, PresenceListener } from '#ephemeral/presence/presence';
import type { PresenceChange } from '#ephemeral/presence/shown-presence';
import type { RoomId, UserId } from '#kernel/ids';
import type { ActiveUsers } from '../notifier/active-users.js';
import { PresenceChanges } from './presence-changes.js';

const room = '!room:x' as RoomId;
const other = '!other:x' as RoomId;
const user = (n: number): UserId => `@user${n}:x` as UserId;
const COMES: PresenceChange = { ofOthers: true, wakes: true };

let elapsed: number;
let woken: { users: UserId[]; rooms: RoomId[] }[];
let change: PresenceListener;
let changes: PresenceChanges;
let sharing: number;
let isKnown: boolean;
let followers: Set<UserId>;
let follow: SubscriberListener;

beforeEach(() => {
  vi.useFakeTimers();
  elapsed = 0;
  woken = [];
  sharing = 1_000;
  isKnown = true;
  followers = new Set();
  const presence: Pick<Presence, 'isOn' | 'knows' | 'onChange'> = {
    isOn: true,
    knows: () => isKnown,
    onChange: (listener) => {
      change = listener;
      return () => true;
    },
  };
  const active: Pick<ActiveUsers, 'follow' | 'roomsOf' | 'wakeForPresence'> = {
    follow: () => {},
    roomsOf: () => new Map([[room, { membership: 'join' } as never]]),
    wakeForPresence: (users, rooms) => {
      woken.push({ users: [...users], rooms: [...rooms] });
      return sharing;
    },
  };
  const subscribers: Pick<Subscribers, 'of' | 'onChange'> = {
    of: () => ({ here: followers, servers: new Set() }),
    onChange: (listener) => {
      follow = listener;
      return () => true;
    },
  };
  const clock = { elapsed: () => elapsed };
  changes = new PresenceChanges(presence as Presence, active as ActiveUsers, subscribers as Subscribers, clock);
});
afterEach(() => {
  changes.onModuleDestroy();
  vi.useRealTimers();
});

const pass = (ms: number): void => {
  elapsed += ms;
  vi.advanceTimersByTime(ms);
};

describe('changes of presence', () => {
  it('wake at once where it was quiet, and then all together, the more seldom the more they wake', () => {
    change(user(0), COMES);
    expect(woken).toEqual([{ users: [user(0)], rooms: [room] }]);
    for (let n = 1; n < 500; n++) {
      change(user(n), COMES);
      pass(3);
    }
    expect([woken.length, changes.mark()?.sequence]).toEqual([1, 1]);
    pass(5_000);
    expect([woken.length, changes.mark()?.sequence]).toEqual([2, 500]);
    expect(woken[1]?.users).toHaveLength(499);
    sharing = 1;
    pass(10_000);
    change(user(0), COMES);
    pass(10);
    change(user(1), COMES);
    expect(woken).toHaveLength(4);
  });

  it('wake who follows somebody by their list, and are told to who comes to follow them, until they do no more', () => {
    followers.add(user(7));
    change(user(0), COMES);
    expect(woken).toEqual([{ users: [user(0), user(7)], rooms: [room] }]);
    expect([...changes.onList(user(7))!.between(0, 1)]).toEqual([user(0)]);
    follow(user(1), user(7), true);
    expect([...changes.onList(user(7))!.between(1, Infinity)]).toEqual([user(1)]);
    follow(user(0), user(7), false);
    expect([...changes.onList(user(7))!.between(0, Infinity)]).toEqual([user(1)]);
    change(user(1), 'forgotten');
    expect(changes.onList(user(7))).toBeUndefined();
  });

  it('wake at least every half minute', () => {
    sharing = 1_000_000;
    change(user(0), COMES);
    change(user(1), COMES);
    pass(29_999);
    expect(woken).toHaveLength(1);
    pass(1);
    expect(woken).toHaveLength(2);
  });

  it('of little matter wake nobody, and are numbered with the others', () => {
    change(user(0), { ofOthers: true, wakes: false });
    pass(60_000);
    expect([woken, changes.mark()?.sequence]).toEqual([[], 1]);
    expect([...(changes.inRoom(room)?.between(0, 1) ?? [])]).toEqual([user(0)]);
  });

  it('of what others do not see wake the user alone, and stand in no room', () => {
    change(user(0), { ofOthers: false, wakes: true });
    expect(woken).toEqual([{ users: [user(0)], rooms: [] }]);
    expect([changes.inRoom(room), changes.ofOneself(user(0))]).toEqual([undefined, 1]);
  });

  it('follow people into rooms and out of them, and are forgotten with them', () => {
    change(user(0), COMES);
    changes.moved(user(0), other, 'join');
    changes.moved(user(0), other, 'join');
    expect([changes.inRoom(other)?.last, changes.mark()?.sequence]).toEqual([2, 2]);
    changes.moved(user(0), room, 'leave');
    expect(changes.inRoom(room)).toBeUndefined();
    change(user(0), 'forgotten');
    expect([changes.inRoom(other), changes.ofOneself(user(0))]).toEqual([undefined, 0]);
  });

  it('are followed of whom anything is known, in a room or not yet; of whom nothing is any more, until they have left all rooms', () => {
    expect(changes.follows(user(0))).toBe(true);
    change(user(0), COMES);
    isKnown = false;
    expect(changes.follows(user(0))).toBe(true);
    changes.moved(user(0), room, 'leave');
    expect([changes.follows(user(0)), changes.ofOneself(user(0))]).toEqual([false, 0]);
  });

  it('count from nothing for whoever comes with a mark of another run', () => {
    change(user(0), COMES);
    expect(changes.heardUpTo(changes.mark())).toBe(1);
    expect([changes.heardUpTo({ run: '00000000', sequence: 9 }), changes.heardUpTo(undefined)]).toEqual([0, 0]);
  });
});
