import { beforeEach, describe, expect, it } from 'vitest';
import { BY_SERVER } from '#accounts/accounts';
import { DEVICES } from '#accounts/projections/devices.projector';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { decideUpload } from './decide/decide-upload.js';
import { countKeys } from './decide/keys-of-device.js';
import { DeviceKeys } from './device-keys.js';
import { deviceStream } from './facts/device-key-facts.js';
import type { DeviceKey } from './facts/device-streams.js';

const before = (removedAt: number) => (madeAt: number) => madeAt < removedAt;
const DEVICE: DeviceKey = ['@alice:a.example' as UserId, 'D' as DeviceId];

describe('the keys of a device that was removed', () => {
  let log: MemoryEventStore;
  let keys: DeviceKeys;
  beforeEach(() => {
    log = new MemoryEventStore();
    keys = madeAt(7);
  });

  /** As a process knows them to which the device was made then. */
  const madeAt = (createdTs: number): DeviceKeys => {
    const row = JSON.stringify({ created_ts: createdTs, current: { token_hash: 'h' } });
    const get = async (collection: string): Promise<string | undefined> =>
      collection === DEVICES.name ? row : undefined;
    return new DeviceKeys(log, systemClock, { get, history: LogHistory.UNBROKEN });
  };
  const upload = async (to: DeviceKeys, ...ids: string[]): Promise<unknown> => {
    const oneTimeKeys = ids.map((id) => ({ algorithm: 'a', key_id: id, key: id }));
    const changed = await to.change(
      DEVICE,
      (state, time) => decideUpload(state, { oneTimeKeys, fallbackKeys: [] }, time),
      BY_SERVER,
    );
    return countKeys(changed!.keys, '').counts;
  };
  const types = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { type } of log.readStream(deviceStream(DEVICE))) found.push(type);
    return found;
  };

  it('go from the log, and that again changes nothing', async () => {
    await upload(keys, '1');
    await upload(keys, '2');
    expect([await keys.end(DEVICE, before(8)), await keys.end(DEVICE, before(8))]).toEqual([true, false]);
    expect(await types()).toEqual(['device-keys-ended']);
  });

  it('are not those of one that was made again since, which stay', async () => {
    await upload(keys, '1');
    await upload(keys, '2');
    expect([await keys.end(DEVICE, before(6)), await keys.end(DEVICE, before(7))]).toEqual([false, false]);
    expect(await types()).toEqual(['one-time-keys-added', 'one-time-keys-added']);
  });

  it('are nothing where it had none', async () => {
    expect(await keys.end(DEVICE, before(8))).toBe(false);
    expect(await types()).toEqual([]);
  });

  it('count no more where it is made again, whether they went yet or not', async () => {
    await upload(keys, '1');
    const again = madeAt(9);
    expect(await upload(again, '2', '3')).toEqual({ a: 2 });
    await again.end(DEVICE, before(8));
    expect(await upload(again, '4')).toEqual({ a: 3 });
  });
});
