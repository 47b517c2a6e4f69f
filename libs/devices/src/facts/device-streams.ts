import type { DeviceId, UserId } from '#kernel/ids';

/** A device: whose it is, and its id. */
export type DeviceKey = readonly [userId: UserId, deviceId: DeviceId];

/** The stream of a device among those that begin with a prefix. No user id of this server has a `|`; a device id may have any. */
export function streamOfDevice(prefix: string, [userId, deviceId]: DeviceKey): string {
  return `${prefix}${userId}|${deviceId}`;
}

/** Of which device a stream is that `streamOfDevice` named. */
export function deviceOfStream(prefix: string, stream: string): DeviceKey {
  const bar = stream.indexOf('|');
  return [stream.slice(prefix.length, bar) as UserId, stream.slice(bar + 1) as DeviceId];
}
