import { expect, it } from 'vitest';
import { BY_SERVER } from '#accounts/accounts';
import { DEVICES } from '#accounts/projections/devices.projector';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { decideUpload } from '../decide/decide-upload.js';
import { DeviceKeys } from '../device-keys.js';
import type { OneTimeKeysClaimed } from '../facts/device-key-facts.js';
import type { DeviceKey } from '../facts/device-streams.js';
import { ClaimQueue } from './claim-queue.js';

const DEVICE: DeviceKey = ['@alice:a.example' as UserId, 'D' as DeviceId];
const BOB = '@bob:a.example' as UserId;

it('claims that wait for each other are decided together, as many as fit into a write, in the order in which they came', async () => {
  const log = new MemoryEventStore();
  const row = JSON.stringify({ created_ts: 7, current: { token_hash: 'h' } });
  const get = async (collection: string): Promise<string | undefined> =>
    collection === DEVICES.name ? row : undefined;
  const keys = new DeviceKeys(log, systemClock, { get, history: LogHistory.UNBROKEN });
  const ids = Array.from({ length: 450 }, (_, n) => `K${n}`);
  const oneTimeKeys = ids.map((id) => ({ algorithm: 'a', key_id: id, key: id }));
  await keys.change(DEVICE, (now, time) => decideUpload(now, { oneTimeKeys, fallbackKeys: [] }, time), BY_SERVER);
  const queue = new ClaimQueue(keys);
  const given = await Promise.all(ids.map(() => queue.claim(DEVICE, { algorithm: 'a', by: BOB })));
  expect(given.map(({ key }) => key?.key_id)).toEqual(ids);
  const claims = log.facts
    .filter(({ type }) => type === 'one-time-keys-claimed')
    .map(({ data }) => (JSON.parse(data) as OneTimeKeysClaimed).claims.length);
  expect(claims).toEqual([200, 200, 50]);
});

it('a claim of a key of a device that is not here is given none', async () => {
  const views = { get: async () => undefined, history: LogHistory.UNBROKEN };
  const queue = new ClaimQueue(new DeviceKeys(new MemoryEventStore(), systemClock, views));
  expect((await queue.claim(DEVICE, { algorithm: 'a', by: BOB })).key).toBeUndefined();
});
