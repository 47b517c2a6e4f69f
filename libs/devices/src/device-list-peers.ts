import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';

/** What is asked of other servers about their users' devices: federation implements it. */
export interface DeviceListPeers {
  /** The answer to `GET /_matrix/federation/v1/user/devices/{userId}`, as it came. Throws PeerUnavailable. */
  list(userId: UserId, signal: AbortSignal): Promise<JsonObject>;
}

/** Injection token of the DeviceListPeers. */
export const DEVICE_LIST_PEERS = Symbol.for('annals.DeviceListPeers');

/** Where no other server is spoken to. */
export const NO_PEERS: DeviceListPeers = Object.freeze({
  list: () => Promise.reject(new PeerUnavailable('This server asks no other servers')),
});
