import { expect, test } from 'vitest';
import { ACCOUNTS } from '#accounts/projections/accounts.projector';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { listUsers } from './list-users.js';

test('of whom all are ordered by when they were seen, few are asked about at once', async () => {
  const rows = Array.from({ length: 350 }, (_, n) => `@user${n}:a.example` as UserId).map((userId) => ({
    key: [userId],
    value: ACCOUNTS.codec.encode({ created_ts: 1, via: 'open' }),
  }));
  const views = {
    scan: async (_: string, { after }: { after?: readonly string[] }) => (after === undefined ? rows : []),
    getMany: async (_: string, keys: readonly unknown[]) => keys.map(() => undefined),
  } as unknown as Views;
  let [asked, most] = [0, 0];
  const lastSeen = async (userId: UserId): Promise<number> => {
    most = Math.max(most, ++asked);
    await Promise.resolve();
    asked--;
    return Number(userId.slice(5, userId.indexOf(':')));
  };
  const order = { order: 'last_seen_ts', isBackwards: true, from: 0, limit: 2 } as const;
  const { users, total } = await listUsers(views, lastSeen, order);
  expect([users.map(({ last_seen_ts: at }) => at), total]).toEqual([[349, 348], 350]);
  expect(most).toBeLessThanOrEqual(100);
});
