import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { AccessGranted } from '../facts/sign-in-facts.js';
import { type SignInFact, signInsStream } from '../facts/sign-in-facts.js';
import { KeptSignIns } from '../sign-ins.js';
import { decideKeyReset, decideRedemption, foldSignIn, NO_SIGN_INS, type SignIns } from './sign-ins.js';

const alice = '@alice:example.org' as UserId;
const GRANTED: AccessGranted = {
  grant: 'g',
  client: 'c',
  client_uri: 'https://example.com',
  scope: 's',
  device_id: 'D' as DeviceId,
  redirect_uri: 'https://example.com/callback',
  challenge: 'x',
  expires_at: 1000,
};
const SHOWN = { grant: 'g', client: 'c', redirectUri: 'https://example.com/callback', challenge: 'x' };

const after = (...facts: readonly SignInFact[]): SignIns =>
  facts.reduce(
    (state, { type, data }) =>
      foldSignIn(state, { type, data: JSON.stringify(data), metadata: { at: 0 } } as RecordedFact),
    NO_SIGN_INS,
  );

describe('a code', () => {
  const granted = after({ type: 'access-granted', data: GRANTED });

  it('is used once, in its time, by whom it was given to', () => {
    const used = decideRedemption(granted, SHOWN, 999);
    expect(used).toEqual([{ type: 'grant-used', data: { grant: 'g', expires_at: expect.any(Number) } }]);
    expect(() => decideRedemption(after({ type: 'access-granted', data: GRANTED }, ...used), SHOWN, 999)).toThrow();
    expect(() => decideRedemption(granted, SHOWN, 1000)).toThrow();
    for (const wrong of [
      { grant: 'h' },
      { client: 'd' },
      { redirectUri: undefined },
      { challenge: undefined },
      { challenge: 'y' },
    ])
      expect(() => decideRedemption(granted, { ...SHOWN, ...wrong }, 1)).toThrow();
  });

  it('of a device is not taken for one that a browser was sent with, nor the other way round', () => {
    const { redirect_uri: _uri, challenge: _challenge, ...byDevice } = GRANTED;
    const waiting = after({ type: 'access-granted', data: byDevice });
    expect(() => decideRedemption(waiting, SHOWN, 1)).toThrow();
    const polled = { ...SHOWN, redirectUri: undefined, challenge: undefined };
    expect(decideRedemption(waiting, polled, 1)).toHaveLength(1);
    expect(() => decideRedemption(granted, polled, 1)).toThrow();
  });
});

describe('a permission to reset keys', () => {
  it('is used once, in its time', () => {
    const data = { expires_at: 1000, trusted_since: 3 };
    const allowed = after({ type: 'key-reset-allowed', data });
    expect(decideKeyReset(allowed, 1000, 3)).toEqual([]);
    const used = decideKeyReset(allowed, 999, 3);
    expect(used).toEqual([{ type: 'key-reset-used', data: {} }]);
    expect(decideKeyReset(after({ type: 'key-reset-allowed', data }, ...used), 999, 3)).toEqual([]);
  });

  it('is over with another password, or once all sessions were ended', () => {
    const allowed = after({ type: 'key-reset-allowed', data: { expires_at: 1000, trusted_since: 3 } });
    for (const since of [undefined, 4]) expect(decideKeyReset(allowed, 999, since)).toEqual([]);
  });
});

describe('what a user lets browsers do', () => {
  it('is bounded, the oldest browser giving way', () => {
    const signedIn = (browser: string): SignInFact => ({ type: 'browser-signed-in', data: { browser, expires_at: 1 } });
    const { browsers } = after(...Array.from({ length: 60 }, (_, i) => signedIn(`b${i}`)));
    expect([browsers.size, browsers.has('b9'), browsers.has('b10')]).toEqual([50, false, true]);
  });

  it('goes from the log once it is over, and is the same for who reads the log anew', async () => {
    const store = new MemoryEventStore();
    let now = 0;
    const clock = { now: () => now };
    const signIns = new KeptSignIns(store, clock, { add: () => {} });
    const signIn = (browser: string, until: number): Promise<boolean> =>
      signIns.change(alice, () => [{ type: 'browser-signed-in', data: { browser, expires_at: until } }]);
    await signIn('kept', 1e9);
    for (now = 1; now < 1100; now++) await signIn(`b${now}`, now + 10);
    let length = 0;
    for await (const fact of store.readStream(signInsStream(alice))) if (fact.type !== '') length++;
    expect(length).toBeLessThan(600);
    const anew = await new KeptSignIns(store, clock, { add: () => {} }).of(alice);
    const known = await signIns.of(alice);
    expect(anew.browsers.has('kept')).toBe(true);
    expect([...anew.browsers.keys()].slice(-5)).toEqual([...known.browsers.keys()].slice(-5));
  });
});

describe('all of it', () => {
  it('goes from the log with the account, and nothing that was given out is taken any more', async () => {
    const store = new MemoryEventStore();
    const start = (): KeptSignIns => new KeptSignIns(store, { now: () => 1 }, { add: () => {} });
    const kept = start();
    const end = (): Promise<boolean> => kept.end(alice, { actor: alice });
    expect(await end()).toBe(false);
    await kept.change(alice, () => [{ type: 'browser-signed-in', data: { browser: 'b', expires_at: 9 } }]);
    await kept.change(alice, () => [{ type: 'access-granted', data: GRANTED }]);
    expect([await end(), await end()]).toEqual([true, false]);
    const left: string[] = [];
    for await (const { type } of store.readStream(signInsStream(alice))) left.push(type);
    expect(left).toEqual(['key-reset-used']);
    const { browsers, grants } = await start().of(alice);
    expect([browsers.size, grants.size]).toEqual([0, 0]);
  });
});
