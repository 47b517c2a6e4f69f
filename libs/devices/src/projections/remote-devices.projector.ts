import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asMark, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import { evolveRemoteDevices, type RemoteDevices } from '../decide/remote-devices.js';
import { REMOTE_DEVICE_SHAPES, type RemoteDeviceFact, userIdOfRemoteDevices } from '../facts/remote-device-facts.js';

/** The devices of a user of another server. */
export interface RemoteDevicesRow extends RemoteDevices {
  /** Of the last fact that is in it. */
  readonly position: Position;
  /** Where the whole list was told last. */
  readonly listed?: Position;
}

export const REMOTE_DEVICES = new Collection<readonly [userId: UserId], RemoteDevicesRow>('remote-devices', {
  key: ['user of another server'],
  says: 'their devices and cross-signing keys as their server told them, and whether something was missed since',
  codec: asJson(),
});

export const MISSED_LISTS = new Collection<readonly [userId: UserId], true>('missed-lists', {
  key: ['user of another server'],
  says: 'that their devices are to be asked for',
  codec: asMark,
});

/** The devices of users of other servers, as these told of them. */
export const remoteDevicesProjector: Projector = {
  name: 'remote-devices',
  version: 1,
  ...owning(REMOTE_DEVICES, MISSED_LISTS),
  handles: (type) => Object.hasOwn(REMOTE_DEVICE_SHAPES, type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfRemoteDevices(fact.stream);
  const row = await REMOTE_DEVICES.get(rows, [userId]);
  if (row !== undefined && row.position >= fact.position) return; // applied before
  // Only this library writes these types: their data has the shape that RemoteDeviceFacts gives.
  const parsed = { type: fact.type, data: JSON.parse(fact.data) as unknown } as RemoteDeviceFact;
  const { position: _position, listed: before, ...list } = row ?? { position: undefined, listed: undefined };
  const after = evolveRemoteDevices(row && (list as RemoteDevices), parsed);
  const listed = fact.type === 'remote-devices-listed' ? fact.position : before;
  REMOTE_DEVICES.put(rows, [userId], {
    ...after,
    position: fact.position,
    ...(listed === undefined ? {} : { listed }),
  });
  if (after.missed !== undefined) MISSED_LISTS.put(rows, [userId], true);
  else MISSED_LISTS.delete(rows, [userId]);
}
