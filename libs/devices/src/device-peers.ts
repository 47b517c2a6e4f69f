import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';

/** Keys that are wanted of devices of one server: an algorithm for each. */
export type WantedOfServer = ReadonlyMap<UserId, ReadonlyMap<DeviceId, string>>;

/** What is asked of other servers about the devices of their users: federation implements it. */
export interface DevicePeers {
  /** Whether a server is spoken to at all, so that messages for its users may be left with us. */
  speaksTo(server: ServerName): boolean;
  /** The answer to `GET /_matrix/federation/v1/user/devices/{userId}`, as it came. Throws PeerUnavailable. */
  list(userId: UserId, timeoutMs: number): Promise<JsonObject>;
  /** The answer to `POST /_matrix/federation/v1/user/keys/claim`, as it came. Throws PeerUnavailable. */
  claim(server: ServerName, wanted: WantedOfServer, timeoutMs: number): Promise<JsonObject>;
}

/** Injection token of the DevicePeers. */
export const DEVICE_PEERS = Symbol.for('annals.DevicePeers');

const askNobody = (): Promise<JsonObject> => Promise.reject(new PeerUnavailable('This server asks no other servers'));

/** Where no other server is spoken to. */
export const NO_PEERS: DevicePeers = Object.freeze({ speaksTo: () => false, list: askNobody, claim: askNobody });
