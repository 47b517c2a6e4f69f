import { beforeEach, expect, it } from 'vitest';
import { DEVICES } from '#accounts/projections/devices.projector';
import type { ClaimHere } from '#devices/commands/claim-here';
import { DEVICE_KEYS } from '#devices/projections/device-keys.projector';
import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { DEVICE_LIST_PLACES } from '../projections/device-updates.projector.js';
import { DevicesController } from './devices.controller.js';

const ALICE = '@alice:a.example' as UserId;
const PHONE = 'PHONE' as DeviceId;

/** Views that show what happened at each position only to who waits for that. */
class LateViews extends MemoryReadModels {
  readonly late = new Map<Position, () => Promise<void>>();

  async whenProcessed(position: Position): Promise<void> {
    await this.late.get(position)?.();
  }
}

let views: LateViews;
let door: DevicesController;
beforeEach(() => {
  views = new LateViews();
  const store = { head: async () => positionOf(5) };
  const config = { serverName: 'a.example' as ServerName };
  door = new DevicesController(views as unknown as Views, store, config, {} as ClaimHere);
});

async function showPhone(): Promise<void> {
  const keys = DEVICE_KEYS.codec.encode({ created_ts: 1, device_keys: { device_id: PHONE } });
  await views.write([
    { collection: DEVICES.name, key: [ALICE, PHONE], value: DEVICES.codec.encode({ created_ts: 1 } as never) },
    { collection: DEVICE_KEYS.name, key: [ALICE, PHONE], value: keys },
  ]);
}
const ask = () => door.devices('b.example' as ServerName, ALICE);

it('tells of all devices that there were as it was asked', async () => {
  views.late.set(positionOf(5), showPhone);
  expect(await ask()).toMatchObject({ devices: [{ device_id: PHONE }] });
});

it('tells no number of an update whose device the list does not have yet', async () => {
  const place = DEVICE_LIST_PLACES.codec.encode({ stream_id: 7, position: positionOf(6) });
  await views.write([{ collection: DEVICE_LIST_PLACES.name, key: [ALICE], value: place }]);
  views.late.set(positionOf(6), showPhone);
  expect(await ask()).toMatchObject({ stream_id: 7, devices: [{ device_id: PHONE }] });
});
