import { beforeEach, describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { RemotePresence, type ToldPresence } from './remote-presence.js';

const BOB = '@bob:b.example' as UserId;
const MINUTE = 60_000;
const told = (other: Partial<ToldPresence> = {}): ToldPresence => ({
  state: 'online',
  word: undefined,
  deviceType: undefined,
  currentlyActive: true,
  statusMsg: undefined,
  lastActiveAgo: 1_000,
  ...other,
});

let now: number;
let presence: RemotePresence;
let heard: unknown[];
beforeEach(() => {
  [now, heard] = [0, []];
  presence = new RemotePresence({ elapsed: () => now });
  presence.onChange((userId, change) => heard.push([userId, change]));
});

describe('who is there of the users of other servers', () => {
  it('is what their server told last, and no news where it tells the same', () => {
    presence.take(BOB, told());
    presence.take(BOB, told());
    expect(heard).toEqual([[BOB, { ofOthers: true, wakes: true }]]);
    now = 500;
    expect(presence.find(BOB)).toEqual({ ...told(), lastActiveAgo: 1_500 });
    presence.take(BOB, told({ statusMsg: 'away soon' }));
    presence.take(BOB, told({ statusMsg: 'away soon', currentlyActive: false }));
    expect(heard.slice(1)).toEqual([[BOB, { ofOthers: true, wakes: true }], [BOB, { ofOthers: true, wakes: false }]]); // prettier-ignore
  });

  it('wakes nobody for who is not there and was not known before', () => {
    presence.take(BOB, told({ state: 'offline' }));
    expect(heard).toEqual([[BOB, { ofOthers: true, wakes: false }]]);
  });

  it('is nobody of whom nothing was told for half an hour, and is forgotten another half an hour later', () => {
    presence.take(BOB, told());
    now = 29 * MINUTE;
    presence.look();
    expect(presence.find(BOB)?.state).toBe('online');
    now = 31 * MINUTE;
    presence.look();
    expect(presence.find(BOB)?.state).toBe('offline');
    expect(heard.at(-1)).toEqual([BOB, { ofOthers: true, wakes: true }]);
    now = 62 * MINUTE;
    presence.look();
    expect(presence.find(BOB)).toBeUndefined();
    expect(heard.at(-1)).toEqual([BOB, 'forgotten']);
  });

  it('is remembered of so many as there is room for, and of those told last', () => {
    const userOf = (n: number): UserId => `@u${n}:b.example` as UserId;
    for (let n = 0; n <= 20_000; n++) presence.take(userOf(n), told());
    expect(presence.find(userOf(0))).toBeUndefined();
    expect(presence.find(userOf(20_000))).toBeDefined();
  });
});
