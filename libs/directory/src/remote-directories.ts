import type { RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { WantedRooms } from './queries/public-rooms-request.js';

/** What the directory needs of who can ask other servers; `libs/federation` implements it. */
export interface RemoteDirectories {
  /**
   * A page of the public rooms of another server, numbers in their own spelling. Throws PeerRefused with what the server says, and PeerUnavailable.
   */
  listRooms(server: ServerName, wanted: WantedRooms): Promise<JsonObject>;
  /** Other servers that are in a room now, not all where there are many. */
  serversIn(roomId: RoomId): Promise<readonly ServerName[]>;
}

/** Injection token of the RemoteDirectories; where there are none, no other server is asked. */
export const REMOTE_DIRECTORIES = Symbol.for('annals.RemoteDirectories');
