import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { userStream } from '#kernel/user-stream';
import { MemoryEventStore } from '#testing/memory-event-store';
import { BY_SERVER } from './accounts.js';
import { hashSecret } from './credentials/secrets.js';
import { RegistrationTokens } from './registration-tokens.js';

const [ALICE, BOB, CAROL] = ['@alice:a.example', '@bob:a.example', '@carol:a.example'] as UserId[];

it('a use that came to nothing is given back to the token that it was of, and to none of the same text after that', async () => {
  let now = 1_000;
  const clock = { now: () => now, elapsed: () => now };
  const store = new MemoryEventStore();
  // Each start lets go of what those before it have left in the midst.
  const start = (): RegistrationTokens => {
    now += 1_000;
    return new RegistrationTokens(store, clock, { whenProcessed: async () => {} }, {});
  };
  const limits = { uses_allowed: 1 };
  const before = start();
  await before.create('welcome', limits, BY_SERVER);
  await before.use('welcome', ALICE!);
  expect(await before.isUsable('welcome')).toBe(false);
  const after = start();
  expect(await after.isUsable('welcome')).toBe(true);
  await after.use('welcome', ALICE!);
  await after.revoke(hashSecret('welcome'), BY_SERVER);
  await after.create('welcome', limits, BY_SERVER);
  await after.use('welcome', BOB!);
  const registered = {
    id: randomUUID(),
    type: 'registered',
    data: '{}',
    metadata: { at: now, actor: 'server', schema: 1, chain: '' },
  };
  await store.append(userStream(BOB!), 'no-stream', [registered]);
  expect(await start().isUsable('welcome')).toBe(false);
  await expect(start().use('welcome', CAROL!)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
});
