import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import {
  DEVICE_KEY_SHAPES,
  type DeviceKeyFact,
  deviceOfDeviceStream,
  type KeyCounts,
} from '../facts/device-key-facts.js';
import { devicesRemovedBy } from '../facts/device-streams.js';

/** The identity keys of a device. They are its own where the device was made when they say. */
export interface DeviceKeysRow {
  readonly created_ts: number;
  readonly device_keys: JsonObject;
}

/** What a device is told of its keys, since a position. They are its own where the device was made when they say. */
export interface KeyCountsRow extends KeyCounts {
  readonly created_ts: number;
  readonly position: Position;
}

export const DEVICE_KEYS = new Collection<readonly [userId: UserId, deviceId: DeviceId], DeviceKeysRow>('device-keys', {
  key: ['user', 'device'],
  says: 'its identity keys as it uploaded them, and when the device was made',
  codec: asJson(),
});

export const KEY_COUNTS = new Collection<readonly [userId: UserId, deviceId: DeviceId], KeyCountsRow>('key-counts', {
  key: ['user', 'device'],
  says: 'how many one-time keys can be claimed, and which fallback keys are unused, since a position',
  codec: asJson(),
});

/** The public keys of devices, of those that are here. */
export const deviceKeysProjector: Projector = {
  name: 'device-keys',
  version: 1,
  ...owning(DEVICE_KEYS, KEY_COUNTS),
  handles: (type) => type === 'devices-removed' || Object.hasOwn(DEVICE_KEY_SHAPES, type),
  project,
};

function project(fact: RecordedFact, rows: OwnRows): void | Promise<void> {
  if (fact.type === 'devices-removed') {
    for (const device of devicesRemovedBy(fact)) {
      DEVICE_KEYS.delete(rows, device);
      KEY_COUNTS.delete(rows, device);
    }
    return;
  }
  // Only this library writes these types: their data has the shape that DeviceKeyFacts gives.
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as DeviceKeyFact;
  const device = deviceOfDeviceStream(fact.stream);
  if (type === 'device-keys-ended') return end(device, data.created_ts, rows);
  const { created_ts: createdTs, after } = data;
  KEY_COUNTS.put(rows, device, { created_ts: createdTs, position: fact.position, ...after });
  if (type === 'device-keys-set' || (type === 'device-keys-summed-up' && data.device_keys !== undefined)) {
    DEVICE_KEYS.put(rows, device, { created_ts: createdTs, device_keys: data.device_keys! });
  }
}

/** Takes the rows away of a device that is gone, where an upload was under way when it was removed. */
async function end(device: readonly [UserId, DeviceId], createdTs: number, rows: OwnRows): Promise<void> {
  if ((await KEY_COUNTS.get(rows, device))?.created_ts === createdTs) KEY_COUNTS.delete(rows, device);
  if ((await DEVICE_KEYS.get(rows, device))?.created_ts === createdTs) DEVICE_KEYS.delete(rows, device);
}
