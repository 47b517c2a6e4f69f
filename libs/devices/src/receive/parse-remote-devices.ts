import type { DeviceId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { type DeviceUpdate, MOST_LIST_BYTES } from '../decide/remote-devices.js';
import type { RemoteDevice, RemoteDevicesListed, RemoteSigningKeys } from '../facts/remote-device-facts.js';

/** What one device may have. */
const MOST_DEVICE_BYTES = MOST_LIST_BYTES / 8;
const MAX_ID_BYTES = 255;

/**
 * What another server answered of a user's devices (server-server API, `GET /user/devices/{userId}`). What is not of that user, or of no
 * readable form, is left out, so that one bad device does not hide the others. undefined where nothing of it can be used.
 */
export function parseRemoteDevices(userId: UserId, body: JsonObject): RemoteDevicesListed | undefined {
  const { user_id: of, stream_id: streamId, devices, master_key: master, self_signing_key: selfSigning } = body;
  if (of !== userId || !isStreamId(streamId) || !Array.isArray(devices)) return undefined;
  const listed: RemoteDevicesListed = {
    stream_id: streamId,
    devices: devices.flatMap((device: JsonValue) => (isJsonObject(device) ? (parseDevice(userId, device) ?? []) : [])),
    ...parseSigningKeys(userId, { master_key: master, self_signing_key: selfSigning }),
  };
  return Buffer.byteLength(JSON.stringify(listed)) > MOST_LIST_BYTES ? undefined : listed;
}

/** An `m.device_list_update`; undefined where it is none. Whether its server may speak for the user is for who received it to check. */
export function parseDeviceUpdate(content: JsonObject): (DeviceUpdate & { readonly userId: UserId }) | undefined {
  const { user_id: of, stream_id: streamId, prev_id: previous = [], deleted } = content;
  const userId = of as UserId; // as far as it is one
  if (typeof of !== 'string' || !isStreamId(streamId) || !Array.isArray(previous)) return undefined;
  const device = parseDevice(userId, content);
  if (device === undefined || Buffer.byteLength(JSON.stringify(device)) > MOST_DEVICE_BYTES) return undefined;
  const update = { stream_id: streamId, ...device, ...(deleted === true ? { deleted } : {}) };
  return { userId, update, previous: previous.filter(isStreamId) };
}

/** The cross-signing keys of a user that are of a readable form, and theirs. */
export function parseSigningKeys(
  userId: UserId,
  keys: { readonly master_key?: JsonValue; readonly self_signing_key?: JsonValue },
): RemoteSigningKeys {
  const isOwn = (key: JsonValue | undefined): key is JsonObject =>
    isJsonObject(key) &&
    key['user_id'] === userId &&
    isJsonObject(key['keys']) &&
    Object.keys(key['keys']).length === 1;
  const { master_key, self_signing_key } = keys;
  return {
    ...(isOwn(master_key) ? { master_key } : {}),
    ...(isOwn(self_signing_key) ? { self_signing_key } : {}),
  };
}

function parseDevice(userId: UserId, device: JsonObject): RemoteDevice | undefined {
  const { device_id: id, keys, device_display_name: name } = device;
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > MAX_ID_BYTES) return undefined;
  const isOwn = isJsonObject(keys) && keys['user_id'] === userId && keys['device_id'] === id;
  return {
    device_id: id as DeviceId,
    ...(isOwn ? { keys } : {}),
    ...(typeof name === 'string' ? { device_display_name: name } : {}),
  };
}

function isStreamId(value: JsonValue | undefined): value is number {
  return Number.isSafeInteger(value);
}
