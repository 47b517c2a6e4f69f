import { expect, it } from 'vitest';
import { DEVICES } from '#accounts/projections/devices.projector';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { DEVICE_KEYS } from '../projections/device-keys.projector.js';
import { QueryKeys, QueryKeysHandler } from './query-keys.js';
import type { RemoteKeys } from './remote-keys.js';

const ALICE = '@alice:a.example' as UserId;
const D = 'D' as DeviceId;

it('keys of a device are told of the very one that uploaded them, and of none that has its name by now', async () => {
  const views = new MemoryReadModels();
  const handler = new QueryKeysHandler(
    views as unknown as Views,
    { serverName: 'a.example' as ServerName },
    {} as RemoteKeys,
  );
  const made = (createdTs: number): Promise<void> => {
    const value = JSON.stringify({ created_ts: createdTs, current: { token_hash: 'h' } });
    return views.write([{ collection: DEVICES.name, key: [ALICE, D], value }]);
  };
  const value = DEVICE_KEYS.codec.encode({ created_ts: 7, device_keys: { keys: {} } });
  await views.write([{ collection: DEVICE_KEYS.name, key: [ALICE, D], value }]);
  const told = async (...ids: DeviceId[]): Promise<unknown[]> => {
    const query = new QueryKeys({ userId: ALICE, deviceId: D } as Requester, new Map([[ALICE, ids]]));
    return [...(await handler.execute(query)).users.get(ALICE)!.devices.keys()];
  };
  await made(7);
  expect([await told(), await told(D)]).toEqual([[D], [D]]);
  await made(8);
  expect([await told(), await told(D)]).toEqual([[], []]);
});
