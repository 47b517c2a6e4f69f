import { DEVICES } from '#accounts/projections/devices.projector';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { DEVICE_KEYS, type DeviceKeysRow } from '../projections/device-keys.projector.js';
import { readCrossSigningKeys, SeenSignatures } from './seen-signatures.js';
import type { KeyReader, UserKeys } from './user-keys.js';

/** All devices of a user are read: accounts let nobody have more. */
const MOST_DEVICES = 10_000;

/** The keys of a user of this server as a reader is shown them: of the devices named, or of all where none is. */
export async function readLocalKeys(
  views: Views,
  userId: UserId,
  deviceIds: readonly DeviceId[],
  reader: KeyReader,
): Promise<UserKeys> {
  const isOwner = userId === reader.reader;
  const keys = isOwner ? reader.ofReader : await readCrossSigningKeys(views, userId);
  const seen = await SeenSignatures.read(views, userId, keys, reader);
  const devices = await readDevices(views, userId, deviceIds, seen, reader.mates);
  return { devices, crossSigning: seen.shown(isOwner) };
}

async function readDevices(
  views: Views,
  userId: UserId,
  deviceIds: readonly DeviceId[],
  seen: SeenSignatures,
  mates: KeyReader['mates'],
): Promise<ReadonlyMap<DeviceId, JsonObject>> {
  const rows = await readRows(views, userId, deviceIds);
  const devices = await DEVICES.getMany(
    views,
    rows.map(([deviceId]) => [userId, deviceId]),
  );
  const keys = new Map<DeviceId, JsonObject>();
  for (const [i, [deviceId, row]] of rows.entries()) {
    const device = devices[i];
    // A row of a former device of that id says nothing of this one.
    if (device?.created_ts !== row.created_ts) continue;
    const isNamed = device.display_name !== undefined && (await mates.has(userId));
    keys.set(deviceId, {
      ...seen.signed(deviceId, row.device_keys),
      unsigned: isNamed ? { device_display_name: device.display_name } : {},
    });
  }
  return keys;
}

async function readRows(
  views: Views,
  userId: UserId,
  deviceIds: readonly DeviceId[],
): Promise<(readonly [DeviceId, DeviceKeysRow])[]> {
  if (deviceIds.length === 0) {
    const rows = await DEVICE_KEYS.scan(views, { prefix: [userId], limit: MOST_DEVICES });
    return rows.map(({ key, value }) => [key[1], value]);
  }
  const unique = [...new Set(deviceIds)];
  const rows = await DEVICE_KEYS.getMany(
    views,
    unique.map((deviceId) => [userId, deviceId]),
  );
  return unique.flatMap((deviceId, i) => (rows[i] === undefined ? [] : [[deviceId, rows[i]] as const]));
}
