import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallsOfMembers } from '#calls/calls-of-members';
import type { LiveKitConfig } from '#config/livekit-config';
import type { RecordedFact } from '#event-store/event-store';
import { MatrixError } from '#kernel/matrix-error';
import { LeftCalls } from './left-calls.effect.js';

const LIVEKIT = { url: 'wss://livekit.example' } as LiveKitConfig;

let looks: number;
let failure: Error | undefined;
let warned: number;

const effectWith = (livekit: LiveKitConfig | undefined): LeftCalls => {
  const check = async (): Promise<void> => {
    looks++;
    if (failure !== undefined) throw failure;
  };
  return new LeftCalls({ check } as CallsOfMembers, { livekit }, { warn: () => warned++ } as never);
};
const fact = (type: string, data: object): RecordedFact =>
  ({ type, stream: 'room-!r', data: JSON.stringify(data) }) as RecordedFact;
const LEFT = fact('pdu-accepted', { pdu: { type: 'm.room.member', content: { membership: 'leave' } } });

describe('who is in calls', () => {
  let effect: LeftCalls;
  beforeEach(() => {
    vi.useFakeTimers();
    [looks, warned, failure] = [0, 0, undefined];
    effect = effectWith(LIVEKIT);
  });
  afterEach(() => {
    effect.end();
    vi.useRealTimers();
  });

  it('is looked at where somebody leaves, is banned or logged out, and for nothing else', () => {
    const banned = fact('pdu-accepted', { pdu: { type: 'm.room.member', content: { membership: 'ban' } } });
    const joined = fact('pdu-accepted', { pdu: { type: 'm.room.member', content: { membership: 'join' } } });
    const said = fact('pdu-accepted', { pdu: { type: 'm.room.message', content: { body: '"leave"' } } });
    const loggedOut = fact('devices-removed', { device_ids: ['PHONE'] });
    for (const one of [LEFT, banned, loggedOut]) expect(effect.keyOf(one)).toBeDefined();
    for (const one of [joined, said]) expect(effect.keyOf(one)).toBeUndefined();
    expect(effectWith(undefined).keyOf(LEFT)).toBeUndefined();
  });

  it('is looked at once soon, however many leave, and in any case now and then', async () => {
    await effect.begin();
    for (let i = 0; i < 100; i++) await effect.run();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(looks).toBe(1);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(looks).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(looks).toBe(2);
    effect.end();
    await effect.run();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(looks).toBe(2);
  });

  it('is looked at again where that failed, whatever failed', async () => {
    await effect.begin();
    failure = new MatrixError('M_UNKNOWN');
    await vi.advanceTimersByTimeAsync(30_000);
    failure = new Error('the views are away');
    await vi.advanceTimersByTimeAsync(30_000);
    failure = undefined;
    await vi.advanceTimersByTimeAsync(30_000);
    expect([looks, warned]).toEqual([3, 1]);
  });
});
