import type { DevicesRemoved } from '#accounts/facts/session-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';

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

/** The devices that `devices-removed`, a fact of their user's stream, ends. */
export function devicesRemovedBy({ stream, data }: Pick<RecordedFact, 'stream' | 'data'>): readonly DeviceKey[] {
  const { device_ids: ids } = JSON.parse(data) as DevicesRemoved; // written by accounts
  return ids.map((deviceId) => [userIdOfStream(stream), deviceId]);
}
