import type { Upcast } from '#event-store/fact-shapes';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type DeviceKey, deviceOfStream, streamOfDevice } from './device-streams.js';

/**
 * The facts of a device's keys, in `device-{user_id}|{device_id}`: public keys, as the device uploaded them. A device that was removed
 * and made again under the same id has other keys: so each fact says when its device was made. Now and then one fact says all
 * that stands (`device-keys-summed-up`), and what is before it goes from the log.
 */
export const DEVICE_STREAM_PREFIX = 'device-';
export const deviceStream = (device: DeviceKey): string => streamOfDevice(DEVICE_STREAM_PREFIX, device);
export const deviceOfDeviceStream = (stream: string): DeviceKey => deviceOfStream(DEVICE_STREAM_PREFIX, stream);

/** A key object, or a key in base64 alone, as it was uploaded. */
export type PublicKey = string | JsonObject;

/** A one-time key or a fallback key: `<algorithm>:<key_id>`. */
export interface NamedPublicKey {
  readonly algorithm: string;
  readonly key_id: string;
  readonly key: PublicKey;
}

/** What a device is told of the keys of it that are here. */
export interface KeyCounts {
  /** How many one-time keys of each algorithm can be claimed. */
  readonly counts: Readonly<Record<string, number>>;
  /** The algorithms whose fallback key nobody has claimed yet. */
  readonly unused_fallback: readonly string[];
  /** The restoration of the log by whose time this counts: one-time keys from before it are void. */
  readonly history: string;
}

/** What all of these facts say but the last, which ends them. */
interface OfDevice {
  /** When the device was made, as in its row of `devices`, in milliseconds. */
  readonly created_ts: number;
  /** As it is after the fact. */
  readonly after: KeyCounts;
}

/** `device-keys-set`: the identity keys of the device. Where they are others than before, its one-time and fallback keys are gone. */
export interface DeviceKeysSet extends OfDevice {
  readonly device_keys: JsonObject;
}

/** `one-time-keys-added`: in the order in which they are to be claimed. */
export interface OneTimeKeysAdded extends OfDevice {
  readonly keys: readonly NamedPublicKey[];
}

/** `fallback-keys-set`: each takes the place of the one of its algorithm. */
export interface FallbackKeysSet extends OfDevice {
  readonly keys: readonly NamedPublicKey[];
}

/** A key that somebody was given, and nobody else is; with `fallback` it is a fallback key, which stays and is used now. */
export interface ClaimedKey {
  readonly algorithm: string;
  readonly key_id: string;
  /** A server asks on behalf of one of its users, and does not say which. */
  readonly by: UserId | ServerName;
  readonly fallback?: true;
}

/** `one-time-keys-claimed`: by those who asked at the same time. */
export interface OneTimeKeysClaimed extends OfDevice {
  readonly claims: readonly ClaimedKey[];
}

/** `device-keys-summed-up`: all that stands, said again: nothing before it counts. */
export interface DeviceKeysSummedUp extends OfDevice {
  readonly device_keys?: JsonObject;
  /** With the restoration of the log by whose time each was uploaded. */
  readonly one_time_keys: readonly (NamedPublicKey & { readonly history: string })[];
  readonly fallback_keys: readonly (NamedPublicKey & { readonly used: boolean })[];
  /** Names and hashes of keys that were claimed lately. */
  readonly claimed: readonly (readonly [name: string, hash: string])[];
}

/** `device-keys-ended`: the device was removed, and nothing before this counts. */
export interface DeviceKeysEnded {
  readonly created_ts: number;
}

/** type -> shape of the data, for all the facts above. */
export interface DeviceKeyFacts {
  'device-keys-set': DeviceKeysSet;
  'one-time-keys-added': OneTimeKeysAdded;
  'fallback-keys-set': FallbackKeysSet;
  'one-time-keys-claimed': OneTimeKeysClaimed;
  'device-keys-summed-up': DeviceKeysSummedUp;
  'device-keys-ended': DeviceKeysEnded;
}

export type DeviceKeyFact = {
  [T in keyof DeviceKeyFacts]: { readonly type: T; readonly data: DeviceKeyFacts[T] };
}[keyof DeviceKeyFacts];

/** How old shapes of these facts become today's. */
export const DEVICE_KEY_SHAPES: Readonly<Record<keyof DeviceKeyFacts, readonly Upcast[]>> = {
  'device-keys-set': [],
  'one-time-keys-added': [],
  'fallback-keys-set': [],
  'one-time-keys-claimed': [],
  'device-keys-summed-up': [],
  'device-keys-ended': [],
};
