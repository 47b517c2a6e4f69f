import { randomUUID } from 'node:crypto';
import { beforeEach, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { userStream } from '#kernel/user-stream';
import { MemoryEventStore } from '#testing/memory-event-store';
import { BY_SERVER } from './accounts.js';
import { hashSecret } from './credentials/secrets.js';
import { RegistrationTokens } from './registration-tokens.js';

const [ALICE, BOB, CAROL] = ['@alice:a.example', '@bob:a.example', '@carol:a.example'] as UserId[];

let now: number;
let store: MemoryEventStore;
beforeEach(() => {
  now = 1_000;
  store = new MemoryEventStore();
});

/** Each start lets go of what those before it have left in the midst. */
function start(): RegistrationTokens {
  now += 1_000;
  const clock = { now: () => now, elapsed: () => now };
  return new RegistrationTokens(store, clock, { whenProcessed: async () => {} }, {});
}

async function register(userId: UserId): Promise<void> {
  const metadata = { at: now, actor: 'server', schema: 1, chain: '' };
  await store.append(userStream(userId), 'no-stream', [{ id: randomUUID(), type: 'registered', data: '{}', metadata }]);
}

it('a use that came to nothing is given back to the token that it was of, and to none of the same text after that', async () => {
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
  await register(BOB!);
  expect(await start().isUsable('welcome')).toBe(false);
  await expect(start().use('welcome', CAROL!)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
});

it('a use is given back once: not to a token that was made anew meanwhile, and not by each of two processes that find it abandoned', async () => {
  const one = start();
  await one.create('welcome', { uses_allowed: 1 }, BY_SERVER);
  await one.use('welcome', ALICE!);
  await one.revoke(hashSecret('welcome'), BY_SERVER);
  await one.create('welcome', { uses_allowed: 1 }, BY_SERVER);
  await one.use('welcome', BOB!);
  await register(BOB!);
  // What Alice had begun by the one that was withdrawn comes to nothing now.
  await one.giveBack('welcome', ALICE!);
  expect(await one.isUsable('welcome')).toBe(false);

  await one.create('hello', { uses_allowed: 2 }, BY_SERVER);
  await one.use('hello', BOB!);
  await one.use('hello', ALICE!);
  const both = [start(), start()];
  expect(await Promise.all(both.map((each) => each.isUsable('hello')))).toEqual([true, true]);
  await both[0]!.use('hello', CAROL!);
  await register(CAROL!);
  for (const each of both) expect(await each.isUsable('hello')).toBe(false);
});
