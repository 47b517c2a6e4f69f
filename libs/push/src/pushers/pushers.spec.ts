import { describe, expect, it } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import type { PusherFact, PusherSet } from '../facts/pusher-facts.js';
import {
  decideBehind,
  decideDeviceEnd,
  decidePusher,
  decidePusherRemoval,
  decideTakeOver,
  type WantedPusher,
} from './decide-pushers.js';
import { evolvePushers, type KnownPushers, NO_PUSHERS } from './known-pushers.js';

const PHONE = 'PHONE' as DeviceId;
const LAPTOP = 'LAPTOP' as DeviceId;
const NAME = { app_id: 'app', pushkey: 'key' };
const WANTED: WantedPusher = {
  ...NAME,
  kind: 'http',
  app_display_name: 'App',
  device_display_name: 'Phone',
  lang: 'en',
  data: { url: 'https://push.example/_matrix/push/v1/notify' },
  enabled: undefined,
  device_id: PHONE,
};
const how = { now: 1, alone: false, isShared: false };

const after = (facts: readonly PusherFact[], before: KnownPushers = NO_PUSHERS): KnownPushers =>
  facts.reduce(evolvePushers, before);
const setIn = (pushers: KnownPushers): PusherSet | undefined => [...pushers.values()][0];

describe('a pusher', () => {
  it('is on and belongs to the device that makes it', () => {
    const [fact] = decidePusher(NO_PUSHERS, WANTED, how);
    expect(fact).toEqual({ type: 'pusher-set', data: { ...WANTED, enabled: true, set_at: 1 } });
  });

  it('that is set again as it was is no news, unless it is to be taken from somebody', () => {
    const pushers = after(decidePusher(NO_PUSHERS, WANTED, { ...how, alone: true }));
    expect(decidePusher(pushers, WANTED, { now: 2, alone: true, isShared: false })).toEqual([]);
    expect(decidePusher(pushers, WANTED, { now: 2, alone: false, isShared: true })).toEqual([]);
    expect(decidePusher(pushers, WANTED, { now: 2, alone: true, isShared: true })).toMatchObject([
      { data: { alone: true, set_at: 2 } },
    ]);
  });

  it('is switched off by another device, and stays off and with its own until somebody says otherwise', () => {
    const pushers = after(decidePusher(NO_PUSHERS, WANTED, how));
    const off = after(decidePusher(pushers, { ...WANTED, device_id: LAPTOP, enabled: false }, how), pushers);
    expect(setIn(off)).toMatchObject({ enabled: false, device_id: PHONE });
    const renamed = after(decidePusher(off, { ...WANTED, lang: 'fr' }, how), off);
    expect(setIn(renamed)).toMatchObject({ enabled: false, lang: 'fr' });
  });

  it('is of the device that sets it for itself, as where somebody signs in anew, from then on', () => {
    const pushers = after(decidePusher(NO_PUSHERS, WANTED, how));
    const anew = { ...WANTED, device_id: LAPTOP };
    for (const set of [
      decidePusher(pushers, anew, { ...how, now: 5 }),
      decidePusher(pushers, { ...anew, enabled: false }, { ...how, now: 5, named: LAPTOP }),
    ]) {
      expect(set).toMatchObject([{ data: { device_id: LAPTOP, set_at: 5 } }]);
      expect(decideDeviceEnd(after(set, pushers), new Set([PHONE]), 9)).toEqual([]);
      expect(decideDeviceEnd(after(set, pushers), new Set([LAPTOP]), 9)).toHaveLength(1);
    }
  });

  it('that another device changes goes with its own nevertheless, and is taken from nobody', () => {
    const pushers = after(decidePusher(NO_PUSHERS, WANTED, how));
    const told = { ...WANTED, device_id: LAPTOP, lang: 'fr' };
    const changed = decidePusher(pushers, told, { now: 20, alone: true, isShared: true, named: PHONE });
    expect(changed).toEqual([{ type: 'pusher-set', data: { ...WANTED, enabled: true, lang: 'fr', set_at: 1 } }]);
    // The phone was removed before that, and it is heard of afterwards.
    expect(decideDeviceEnd(after(changed, pushers), new Set([PHONE]), 15)).toHaveLength(1);
  });

  it('goes with its device, but not with one that came before under the same id', () => {
    const pushers = after(decidePusher(NO_PUSHERS, WANTED, { ...how, now: 10 }));
    expect(decideDeviceEnd(pushers, new Set([LAPTOP]), 20)).toEqual([]);
    expect(decideDeviceEnd(pushers, new Set([PHONE]), 9)).toEqual([]);
    expect(decideDeviceEnd(pushers, new Set([PHONE]), 10)).toEqual([
      { type: 'pusher-removed', data: { ...NAME, reason: 'device' } },
    ]);
  });

  it('is taken over by who set it later, and by one of two who set it at once', () => {
    const [alice, bob] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId];
    const setAt = (now: number): PusherSet =>
      setIn(after(decidePusher(NO_PUSHERS, WANTED, { ...how, now, alone: true })))!;
    const has = (pusher: PusherSet): KnownPushers => after([{ type: 'pusher-set', data: pusher }]);
    const isTaken = (theirs: number, taken: number, taker: UserId, userId: UserId): boolean =>
      decideTakeOver(has(setAt(theirs)), setAt(taken), { taker, userId }).length > 0;
    expect([isTaken(1, 2, bob, alice), isTaken(2, 1, bob, alice)]).toEqual([true, false]);
    expect([isTaken(1, 1, bob, alice), isTaken(1, 1, alice, bob)]).toEqual([true, false]);
  });

  it('that is not there needs no removal', () => {
    expect(decidePusherRemoval(NO_PUSHERS, NAME, 'user')).toEqual([]);
  });

  it('stays behind until it has caught up, whatever is set of it', () => {
    const pushers = after(decidePusher(NO_PUSHERS, WANTED, { ...how, alone: true }));
    const behind = after(decideBehind(pushers, NAME, true), pushers);
    expect(setIn(behind)).toEqual({ ...WANTED, enabled: true, set_at: 1, behind: true });
    expect(decideBehind(behind, NAME, true)).toEqual([]);
    const set = after(decidePusher(behind, { ...WANTED, lang: 'fr' }, { ...how, now: 3 }), behind);
    expect(setIn(set)).toMatchObject({ lang: 'fr', behind: true });
    expect(setIn(after(decideBehind(set, NAME, false), set))).not.toHaveProperty('behind');
  });

  it('is one of a hundred at most', () => {
    let pushers = NO_PUSHERS;
    for (let i = 0; i < 100; i++) pushers = after(decidePusher(pushers, { ...WANTED, pushkey: `${i}` }, how), pushers);
    const refused = expect.objectContaining({ errcode: 'M_USER_LIMIT_EXCEEDED' });
    expect(() => decidePusher(pushers, WANTED, how)).toThrow(refused);
    expect(decidePusher(pushers, { ...WANTED, pushkey: '7', lang: 'fr' }, how)).toHaveLength(1);
  });
});
