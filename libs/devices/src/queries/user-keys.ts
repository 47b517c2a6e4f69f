import type { DeviceId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { CrossSigningKeys } from '../facts/cross-signing-facts.js';
import type { RoomMates } from './room-mates.js';

/** What a user has published, as somebody is shown it. */
export interface UserKeys {
  readonly devices: ReadonlyMap<DeviceId, JsonObject>;
  readonly crossSigning: CrossSigningKeys;
}

/** For whom keys are read. */
export interface KeyReader {
  readonly reader: UserId | ServerName;
  /** Their own cross-signing keys; a server has none. */
  readonly ofReader: CrossSigningKeys;
  /** Who is told the names of devices. */
  readonly mates: Pick<RoomMates, 'has'>;
}
