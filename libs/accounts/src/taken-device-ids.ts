import type { DeviceId, UserId } from '#kernel/ids';

/** What accounts need of the keys by which users sign; `libs/devices` keeps them. */
export interface TakenDeviceIds {
  /**
   * Whether a key of a user has this name. No device of theirs may have it: who verifies either goes by the name alone (client-server
   * API, "Cross-signing").
   */
  isTaken(userId: UserId, deviceId: DeviceId): Promise<boolean>;
}

/** Injection token of the TakenDeviceIds. */
export const TAKEN_DEVICE_IDS = Symbol.for('annals.TakenDeviceIds');
