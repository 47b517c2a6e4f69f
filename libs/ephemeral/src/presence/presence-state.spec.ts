import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceId } from '#kernel/ids';
import { DEVICE_STATES, type DeviceState, PRESENCE_STATES, type PresenceState } from './availability.js';
import { isKeepDue, keptOf } from './keep-due.js';
import {
  act,
  ACTIVE_MS,
  choose,
  connect,
  disconnect,
  nextChange,
  NO_PRESENCE,
  removeDevices,
  reportIdle,
  seenPresence,
  setDeviceType,
  tidy,
  type UserPresence,
} from './presence-state.js';
import { AWAY_MS, GONE_MS, IDLE_MS } from './device-presence.js';

const [D, E] = ['D' as DeviceId, 'E' as DeviceId];
const stateAt = (user: UserPresence, now: number): PresenceState => seenPresence(user, now).state;
/** A stream that begins and ends at once. */
const poll = (user: UserPresence, now: number, said?: DeviceState, id = D): UserPresence => {
  const connected = connect(user, id, said, now);
  return said === 'offline' ? connected : disconnect(connected, id, now);
};

describe('somebody', () => {
  it('is there while an event stream is open and a little longer', () => {
    const open = connect(NO_PRESENCE, D, 'online', 0);
    expect(stateAt(open, IDLE_MS - 1)).toBe('online');
    const closed = disconnect(open, D, 1000);
    expect(stateAt(closed, 1000 + AWAY_MS - 1)).toBe('online');
    expect(stateAt(closed, 1000 + AWAY_MS)).toBe('offline');
  });

  it('is idle where nobody does anything with their devices, and is not brought back by asking for news', () => {
    const open = connect(NO_PRESENCE, D, 'online', 0);
    expect(stateAt(open, IDLE_MS)).toBe('unavailable');
    const asksAgain = connect(disconnect(open, D, IDLE_MS), D, 'online', IDLE_MS + 1);
    expect(stateAt(asksAgain, IDLE_MS + 2)).toBe('unavailable');
    expect(stateAt(act(asksAgain, D, IDLE_MS + 3), IDLE_MS + 4)).toBe('online');
  });

  it('is currently active for a while after they did something', () => {
    const open = connect(NO_PRESENCE, D, 'online', 0);
    expect(seenPresence(open, ACTIVE_MS - 1)).toEqual({ state: 'online', currentlyActive: true });
    expect(seenPresence(open, ACTIVE_MS)).toEqual({ state: 'online', currentlyActive: false });
    expect(seenPresence(act(open, D, ACTIVE_MS), ACTIVE_MS).currentlyActive).toBe(true);
  });

  it('is what their device says that is there most', () => {
    const both = poll(poll(NO_PRESENCE, 0, 'unavailable'), 0, 'online', E);
    expect(stateAt(both, 1)).toBe('online');
    expect(stateAt(removeDevices(both, [E]), 1)).toBe('unavailable');
  });

  it('stays what was set explicitly while a client asks on as before', () => {
    const idle = choose(poll(NO_PRESENCE, 0, 'online'), D, { state: 'unavailable' }, undefined, 1);
    expect(stateAt(poll(idle, 2, 'online'), 3)).toBe('unavailable');
    expect(stateAt(poll(poll(idle, 2, 'unavailable'), 3, 'online'), 4)).toBe('online');
    const set = poll(choose(NO_PRESENCE, D, { state: 'online' }, undefined, 0), 1, 'offline');
    expect([stateAt(set, 2), stateAt(set, AWAY_MS)]).toEqual(['online', 'offline']);
    const left = poll(choose(NO_PRESENCE, D, { state: 'offline' }, undefined, 0), 1, undefined);
    expect(stateAt(left, 2)).toBe('offline');
  });

  it('is not marked as there by a stream that says offline, and goes by one that says so after others', () => {
    expect(stateAt(poll(NO_PRESENCE, 0, 'offline'), 1)).toBe('offline');
    expect(stateAt(poll(poll(NO_PRESENCE, 0, 'online'), 1, 'offline'), 2)).toBe('offline');
  });

  it.each(['unavailable', 'offline'] as const)('does not flicker where streams of a device differ: %s', (less) => {
    // One says online, one less; something ends both at once now and then, and they begin again in any order.
    let user = NO_PRESENCE;
    const states: PresenceState[] = [];
    const note = (now: number): void => {
      const state = stateAt(user, now);
      if (state !== states.at(-1)) states.push(state);
    };
    for (let now = 0; now < IDLE_MS; now += 1_000) {
      const order = now % 2_000 === 0 ? (['online', less] as const) : ([less, 'online'] as const);
      for (const said of order) {
        user = connect(user, D, said, now);
        note(now);
      }
      for (const said of order) if (said !== 'offline') user = disconnect(user, D, now + 900);
      note(now + 950);
    }
    expect(states).toEqual(['online', less, 'online']);
    expect(user.activeAt).toBe(1_000);
  });

  it('does nothing that others hear of while they say that they are not there, or hide', () => {
    const away = poll(NO_PRESENCE, 0, 'offline');
    expect(act(away, D, 5).activeAt).toBeUndefined();
    expect(act(NO_PRESENCE, D, 5).activeAt).toBe(5);
    const hidden = choose(poll(NO_PRESENCE, 0, 'online'), D, { state: 'hidden' }, undefined, 1);
    expect(act(poll(hidden, 2, 'online', E), E, 3).activeAt).toBe(0);
    expect(stateAt(act(hidden, D, 3), 4)).toBe('hidden');
  });

  it('is free for chat only while they are there', () => {
    const free = choose(poll(NO_PRESENCE, 0, undefined), D, { state: 'free_for_chat' }, undefined, 0);
    expect([1, AWAY_MS].map((now) => stateAt(free, now))).toEqual(['free_for_chat', 'offline']);
    expect(stateAt(poll(free, AWAY_MS + 1, undefined), AWAY_MS + 2)).toBe('free_for_chat');
    expect(stateAt(choose(free, D, { state: 'online' }, undefined, 1), 2)).toBe('online');
  });

  it('is busy on all devices whatever they do, while they are there, until they choose something else', () => {
    const busy = choose(poll(NO_PRESENCE, 0, 'online'), D, { state: 'busy' }, undefined, 1);
    expect(busy.activeAt).toBe(0); // less available than before: no action
    expect(stateAt(act(poll(busy, 2, 'online', E), E, 3), 4)).toBe('busy');
    const open = connect(busy, D, 'online', 2);
    expect([IDLE_MS + 2, 2 * IDLE_MS].map((now) => stateAt(open, now))).toEqual(['busy', 'busy']);
    expect(stateAt(disconnect(open, D, 5), 5 + AWAY_MS)).toBe('offline');
    expect(stateAt(choose(open, D, { state: 'online' }, undefined, 6), 7)).toBe('online');
    expect(choose(NO_PRESENCE, D, { state: 'do_not_disturb' }, undefined, 9).activeAt).toBe(9);
  });

  it('is what they say in a word of their own, as long as they are what stands for it', () => {
    const said = choose(NO_PRESENCE, D, { state: 'unavailable', word: 'com.example.lunch' }, undefined, 0);
    expect(seenPresence(said, 1)).toMatchObject({ state: 'unavailable', word: 'com.example.lunch' });
    expect(seenPresence(act(said, D, 2), 3)).toMatchObject({ state: 'online', word: undefined });
    expect(seenPresence(choose(said, D, { state: 'unavailable' }, undefined, 2), 3).word).toBeUndefined();
  });

  it('is idle once the clients of all devices say so, since the last of what they tell', () => {
    let user = connect(connect(NO_PRESENCE, D, 'online', 0), E, 'online', 0);
    user = reportIdle(act(act(user, E, 60_000), D, 100_000), E, 40_000, 110_000);
    expect([stateAt(user, 110_000), user.activeAt]).toEqual(['online', 100_000]);
    user = reportIdle(user, D, 5_000, 110_000);
    expect([stateAt(user, 110_000), user.activeAt]).toEqual(['unavailable', 105_000]);
    expect(stateAt(reportIdle(user, E, 0, 111_000), 111_001)).toBe('online');
    expect(stateAt(act(user, D, 111_000), 111_001)).toBe('online');
    const hidden = choose(user, D, { state: 'hidden' }, undefined, 112_000);
    expect(reportIdle(hidden, D, 1, 113_000).activeAt).toBe(105_000);
  });

  it('is there with the kind of the device that is there most, and was used last', () => {
    let user = setDeviceType(setDeviceType(NO_PRESENCE, D, 'desktop'), E, 'mobile');
    expect(seenPresence(user, 0).deviceType).toBeUndefined();
    user = connect(connect(user, D, 'online', 0), E, 'online', 1);
    expect(seenPresence(user, 2).deviceType).toBe('mobile');
    user = act(user, D, 3);
    expect(seenPresence(user, 4).deviceType).toBe('desktop');
    user = connect(user, D, 'unavailable', 5);
    expect(seenPresence(user, 6).deviceType).toBe('mobile');
    expect(seenPresence(setDeviceType(user, E, undefined), 6).deviceType).toBeUndefined();
    expect(seenPresence(removeDevices(user, [E]), 6).deviceType).toBe('desktop');
    for (let n = 0; n < 60; n++) user = setDeviceType(user, `D${n}` as DeviceId, 'bot');
    expect(user.deviceTypes.size).toBe(50);
  });

  it('has no more than fifty devices remembered, of which those that are there go last', () => {
    let user = connect(NO_PRESENCE, D, 'online', 0);
    for (let n = 1; n <= 60; n++) user = poll(user, n, 'online', `D${n}` as DeviceId);
    expect([user.devices.size, user.devices.has(D), user.devices.has('D1' as DeviceId)]).toEqual([50, true, false]);
  });
});

type Step =
  | { readonly kind: 'connect'; readonly id: DeviceId; readonly said: DeviceState | undefined }
  | { readonly kind: 'disconnect' | 'act' | 'remove'; readonly id: DeviceId }
  | { readonly kind: 'choose'; readonly id: DeviceId; readonly state: PresenceState }
  | { readonly kind: 'wait'; readonly ms: number };

const device = fc.constantFrom(D, E);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('connect' as const), id: device, said: fc.constantFrom(...DEVICE_STATES, undefined) }),
  fc.record({ kind: fc.constantFrom('disconnect' as const, 'act' as const, 'remove' as const), id: device }),
  fc.record({ kind: fc.constant('choose' as const), id: device, state: fc.constantFrom(...PRESENCE_STATES) }),
  fc.record({
    kind: fc.constant('wait' as const),
    ms: fc.constantFrom(1, 900, AWAY_MS, ACTIVE_MS, IDLE_MS, GONE_MS),
  }),
);

/** The streams that somebody has open: those that say `offline` count for nothing. */
class Model {
  user: UserPresence = NO_PRESENCE;
  now = 0;
  choice: PresenceState | undefined;
  readonly open = new Map<DeviceId, number>();
  /** When each device was last heard of in a way that may make it be there. */
  readonly heard = new Map<DeviceId, number>();
  acted = -Infinity;

  take(one: Step): void {
    const { user, now } = this;
    if (one.kind === 'wait') return void (this.now += one.ms);
    const { id } = one;
    if (one.kind === 'choose') {
      this.user = choose(user, id, { state: one.state }, undefined, now);
      this.choice = one.state;
      this.heard.set(id, now);
    } else if (one.kind === 'connect') {
      this.user = connect(user, id, one.said, now);
      if (one.said === 'offline') return;
      this.open.set(id, (this.open.get(id) ?? 0) + 1);
      this.heard.set(id, now);
    } else if (one.kind === 'disconnect') {
      if ((this.open.get(id) ?? 0) === 0) return;
      this.user = disconnect(user, id, now);
      this.open.set(id, this.open.get(id)! - 1);
      this.heard.set(id, now);
    } else if (one.kind === 'remove') {
      this.user = removeDevices(user, [id]);
      this.open.delete(id);
      this.heard.delete(id);
    } else this.user = act(user, id, now);
    if (this.user.activeAt !== undefined) this.acted = this.user.activeAt;
  }

  /** Whether any device may be there. */
  get mayBeThere(): boolean {
    if ([...this.open.values()].some((count) => count > 0)) return true;
    return [...this.heard.values()].some((at) => this.now - at < AWAY_MS);
  }
}

describe('whatever happens', () => {
  it('nobody is there without a device that was just heard of, hides unless they chose it, or was active before they did anything', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const model = new Model();
        for (const one of steps) {
          model.take(one);
          const { state, currentlyActive } = seenPresence(model.user, model.now);
          expect(state === 'hidden').toBe(model.choice === 'hidden');
          if (state === 'free_for_chat') expect(model.choice).toBe('free_for_chat');
          if (state !== 'hidden' && state !== 'offline') expect(model.mayBeThere).toBe(true);
          if (currentlyActive) expect(model.now - model.acted).toBeLessThan(ACTIVE_MS);
          expect(model.user.activeAt ?? 0).toBeLessThanOrEqual(model.now);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('what time changes is foretold, and tidying changes nothing that is seen', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.integer({ min: 0, max: GONE_MS }), (steps, later) => {
        const model = new Model();
        for (const one of steps) model.take(one);
        const { user, now } = model;
        const next = nextChange(user, now);
        const then = now + later;
        if (then < next) expect(seenPresence(user, then)).toEqual(seenPresence(user, now));
        expect(seenPresence(tidy(user, then), then)).toEqual(seenPresence(user, then));
        expect(nextChange(user, now)).toBeGreaterThan(now);
      }),
      { numRuns: 500 },
    );
  });

  it('it is worth a fact for each coming and going, and once an hour', () => {
    let user = NO_PRESENCE;
    let kept = {};
    let facts = 0;
    const day = 24 * 60 * 60_000;
    // Somebody who does something every minute of eight hours, over a week.
    for (let now = 0; now < 7 * day; now += 60_000) {
      const isAtWork = now % day < day / 3;
      user = isAtWork ? act(poll(user, now, 'online'), D, now) : tidy(user, now);
      const next = keptOf(user, now, now);
      if (!isKeepDue(kept, next)) continue;
      kept = next;
      facts++;
    }
    expect(facts).toBe(7 * (2 + 7));
  });
});
