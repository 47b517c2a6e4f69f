import type { Upcast } from '#event-store/fact-shapes';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/**
 * The facts of the devices of a user of another server, in `remote-devices-{user_id}`: what their server told of them. A list that was
 * told whole takes the place of all that is before it, which goes from the log.
 */
export const REMOTE_DEVICES_PREFIX = 'remote-devices-';
export const remoteDevicesStream = (userId: UserId): string => `${REMOTE_DEVICES_PREFIX}${userId}`;
export const userIdOfRemoteDevices = (stream: string): UserId => stream.slice(REMOTE_DEVICES_PREFIX.length) as UserId;

/** A device as its server tells of it. */
export interface RemoteDevice {
  readonly device_id: DeviceId;
  readonly keys?: JsonObject;
  readonly device_display_name?: string;
}

/** The cross-signing keys of which others are told. */
export interface RemoteSigningKeys {
  readonly master_key?: JsonObject;
  readonly self_signing_key?: JsonObject;
}

/** `remote-devices-listed`: all devices, as of a stream id of theirs. */
export interface RemoteDevicesListed extends RemoteSigningKeys {
  readonly stream_id: number;
  readonly devices: readonly RemoteDevice[];
  /** How often something was missed while the list was asked for: it may be older than that. */
  readonly missed?: number;
}

/** `remote-device-updated`: one device is this now; without `keys` it has none, and with `deleted` it is gone. */
export interface RemoteDeviceUpdated extends RemoteDevice {
  readonly stream_id: number;
  readonly deleted?: true;
}

/** `remote-signing-keys-updated`: those that are there are others now. */
export type RemoteSigningKeysUpdated = RemoteSigningKeys;

/** `remote-devices-missed`: an update has come and others before it have not, or something else tells that the list is old. */
export interface RemoteDevicesMissed {
  /** Of the update that came; absent where none did. */
  readonly stream_id?: number;
}

/** type -> shape of the data, for all the facts above. */
export interface RemoteDeviceFacts {
  'remote-devices-listed': RemoteDevicesListed;
  'remote-device-updated': RemoteDeviceUpdated;
  'remote-signing-keys-updated': RemoteSigningKeysUpdated;
  'remote-devices-missed': RemoteDevicesMissed;
}

export type RemoteDeviceFact = {
  [T in keyof RemoteDeviceFacts]: { readonly type: T; readonly data: RemoteDeviceFacts[T] };
}[keyof RemoteDeviceFacts];

/** How old shapes of these facts become today's. */
export const REMOTE_DEVICE_SHAPES: Readonly<Record<keyof RemoteDeviceFacts, readonly Upcast[]>> = {
  'remote-devices-listed': [],
  'remote-device-updated': [],
  'remote-signing-keys-updated': [],
  'remote-devices-missed': [],
};
