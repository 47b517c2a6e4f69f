import { expect, it } from 'vitest';
import { type Accounts, BY_SERVER } from '#accounts/accounts';
import { DEVICES } from '#accounts/projections/devices.projector';
import { decideUpload } from '#devices/decide/decide-upload';
import { DeviceKeys } from '#devices/device-keys';
import type { DeviceKey } from '#devices/facts/device-streams';
import type { RecordedFact } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RemovedDevices } from './removed-devices.effect.js';

const DEVICE: DeviceKey = ['@alice:a.example' as UserId, 'D' as DeviceId];

it.each([
  ['go', 7, false],
  ['go also where the clock was ahead as it was made', 20, false],
  ['of one that is made anew while it is looked whether it is there stay', 7, true],
  ['of one of a clock that was ahead, made anew so, stay', 20, true],
])('the keys of a removed device %s', async (_, first, isMadeAnew) => {
  const store = new MemoryEventStore();
  let madeAt = first;
  const get = async (collection: string): Promise<string | undefined> =>
    collection === DEVICES.name ? JSON.stringify({ created_ts: madeAt, current: { token_hash: 'h' } }) : undefined;
  const keys = new DeviceKeys(store, systemClock, { get, history: LogHistory.UNBROKEN });
  const upload = (id: string) =>
    keys.change(
      DEVICE,
      (state, time) =>
        decideUpload(state, { oneTimeKeys: [{ algorithm: 'a', key_id: id, key: id }], fallbackKeys: [] }, time),
      BY_SERVER,
    );
  await upload('of before');
  const load = async (): Promise<object> => {
    // It was not there; right behind that it is.
    if (isMadeAnew) {
      madeAt = 11;
      await upload('of the new one');
    }
    return { devices: new Map() };
  };
  const effect = new RemovedDevices(
    { load } as unknown as Accounts,
    keys,
    { expire: async () => 0 } as never,
    { close: async () => false } as never,
  );
  const removed = {
    stream: `user-${DEVICE[0]}`,
    type: 'devices-removed',
    data: JSON.stringify({ device_ids: [DEVICE[1]], reason: 'logout' }),
    metadata: { at: 10 },
  } as unknown as RecordedFact;
  expect(await effect.run(removed)).toBe(!isMadeAnew);
  expect(JSON.stringify(store.facts).includes('of the new one')).toBe(isMadeAnew);
  expect(await keys.findMadeAt(DEVICE)).toBe(isMadeAnew ? 11 : undefined);
});
