import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { NO_KEYS } from '../receive/known-keys.js';
import type { AskForKeys } from './ask-for-keys.js';
import { KeyRing } from './key-ring.js';
import type { OwnKeys } from './own-keys.js';
import type { ServerKeyLog } from './server-key-log.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('a key ring asks no more of many servers once nobody waits for their keys', async () => {
  const asked = new Map<ServerName, () => void>();
  const asker: Pick<AskForKeys, 'notaries' | 'ofServer'> = {
    notaries: [],
    ofServer: (server) => new Promise((resolve) => asked.set(server, () => resolve('unavailable'))),
  };
  const own: Pick<OwnKeys, 'serverName'> = { serverName: 'ours.example' as ServerName };
  const log: Pick<ServerKeyLog, 'load'> = { load: async () => NO_KEYS };
  const views = { getMany: async (_: string, keys: readonly unknown[]) => keys.map(() => undefined) };
  const clock = { elapsed: () => performance.now() };
  const ring = new KeyRing(own as OwnKeys, log as ServerKeyLog, asker as AskForKeys, views, clock);
  const wanted = Array.from({ length: 1_000 }, (_, i) => ({
    serverName: `${i}.example` as ServerName,
    keyId: 'ed25519:1',
    validAt: 1,
  }));
  const fetched = ring.fetch(wanted);
  await vi.advanceTimersByTimeAsync(1_000);
  const first = asked.size;
  expect(first).toBeGreaterThan(10);
  expect(first).toBeLessThan(200);
  await vi.advanceTimersByTimeAsync(60_000);
  await fetched;
  for (const answer of asked.values()) answer();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked.size).toBe(first);
});
