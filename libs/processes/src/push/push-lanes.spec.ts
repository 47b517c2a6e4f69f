import { expect, it } from 'vitest';
import type { Stopwatch } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { PusherSet } from '#push/facts/pusher-facts';
import type { PushGateways } from '#push/gateway/push-gateways';
import type { Pushers } from '#push/pushers';
import type { Badge, Badges } from '#sync/unread/badges';
import type { HoldBack } from './hold-back.js';
import { PushLanes } from './push-lanes.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId];
const URL = 'https://push.example/_matrix/push/v1/notify';

it('lanes know whose gateways need a number, or may soon, without looking anything up', async () => {
  let unread = 2;
  const gateways = {
    notify: async (_: string, make: () => Promise<unknown>) => {
      await make();
      return { kind: 'taken', told: [{ app_id: 'app', pushkey: 'key', set_at: 1 } as PusherSet], rejected: [] };
    },
    isAway: () => false as boolean,
    end: () => {},
  } as unknown as PushGateways;
  const pusher = { app_id: 'app', pushkey: 'key', kind: 'http', enabled: true, set_at: 1, data: { url: URL } };
  const views = {
    get: async () => undefined,
    scan: async () => [{ key: [ALICE, 'app', 'key'], value: JSON.stringify(pusher) }],
  };
  const badges = { read: async () => ({ unread }) as Badge } as unknown as Badges;
  const lanes = new PushLanes(
    gateways,
    {} as Pushers,
    badges,
    { isInUse: async () => false as boolean } as unknown as HoldBack,
    views as unknown as Views,
    { elapsed: () => 0 } as Stopwatch,
  );
  const tell = (): Promise<void> => {
    const owed = new Promise<void>((ended) => lanes.add(ALICE, URL, { isOwed: true, since: 0, ended }));
    expect(lanes.isNumberKnownOf(ALICE)).toBe(true);
    return owed;
  };
  lanes.begin({ newestOf: async () => undefined, prepare: async () => true, isCrowded: () => false });
  try {
    expect(lanes.isNumberKnownOf(ALICE)).toBe(false);
    await tell();
    await expect.poll(() => lanes.size).toBe(0);
    expect([lanes.isNumberKnownOf(ALICE), lanes.isNumberKnownOf(BOB)]).toEqual([true, false]);
    unread = 0;
    await tell();
    await expect.poll(() => lanes.size).toBe(0);
    expect(lanes.isNumberKnownOf(ALICE)).toBe(false);
  } finally {
    lanes.end();
  }
});
