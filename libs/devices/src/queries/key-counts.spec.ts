import { describe, expect, it } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import type { DeviceId, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import { readKeyCounts } from './key-counts.js';

const DEVICE = { userId: '@alice:a.example' as UserId, deviceId: 'D' as DeviceId };
const RESTORED = new LogHistory([{ name: 'cafe0000', agreed: START }]);
const ROW = { created_ts: 7, position: positionOf(3), counts: { a: 2 }, unused_fallback: ['a'], history: '' };

const told = (row: object | undefined, history: LogHistory): ReturnType<typeof readKeyCounts> =>
  readKeyCounts({ get: async () => row && JSON.stringify(row), history }, DEVICE as never);

describe('what a device is told of its keys', () => {
  it('is how many can be claimed, and always a number of those that clients look for', async () => {
    expect(await told(undefined, LogHistory.UNBROKEN)).toEqual({
      counts: { signed_curve25519: 0 },
      unusedFallback: [],
      since: undefined,
    });
    expect(await told(ROW, LogHistory.UNBROKEN)).toEqual({
      counts: { signed_curve25519: 0, a: 2 },
      unusedFallback: ['a'],
      since: positionOf(3),
    });
  });

  it('is nothing of the one-time keys from before a restoration of the log, and all of the fallback keys', async () => {
    const { counts, unusedFallback } = await told(ROW, RESTORED);
    expect([counts, unusedFallback]).toEqual([{ signed_curve25519: 0 }, ['a']]);
    expect((await told({ ...ROW, history: 'cafe0000' }, RESTORED)).counts).toEqual({ signed_curve25519: 0, a: 2 });
  });
});
