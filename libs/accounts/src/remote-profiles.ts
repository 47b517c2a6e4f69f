import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';

/** What accounts need of who can ask other servers for profiles; `libs/federation` implements it. */
export interface RemoteProfiles {
  /**
   * The profile of a user of another server, as it was within the last minutes, numbers in their own spelling. Throws PeerRefused with what
   * the server says, and PeerUnavailable.
   */
  find(userId: UserId): Promise<JsonObject>;
}

/** Injection token of the RemoteProfiles; where there are none, only the profiles of this server are known. */
export const REMOTE_PROFILES = Symbol.for('annals.RemoteProfiles');
