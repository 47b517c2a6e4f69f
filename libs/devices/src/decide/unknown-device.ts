import { isJsonObject, type JsonValue } from '#kernel/json';
import type { RemoteDevice } from '../facts/remote-device-facts.js';

/** What of a message to devices names the device that sent it, by its id or by its Curve25519 key. */
const NAMING_ID = ['requesting_device_id', 'from_device'] as const;
const NAMING_KEY = 'sender_key';

/**
 * Whether a message tells by its content, a JSON text, that a device sent it which is not in the list of its user: then the list is old. Of
 * most messages that cannot be told.
 */
export function isFromUnknownDevice(devices: readonly RemoteDevice[], content: string): boolean {
  const parsed = JSON.parse(content) as JsonValue;
  if (!isJsonObject(parsed)) return false;
  const id = NAMING_ID.map((key) => parsed[key]).find((value) => typeof value === 'string');
  if (id !== undefined) return !devices.some((device) => device.device_id === id);
  const key = parsed[NAMING_KEY];
  if (typeof key !== 'string') return false;
  return !devices.some(({ keys }) => isJsonObject(keys?.['keys']) && Object.values(keys['keys']).includes(key));
}
