import type { RoomAlias, RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';

/** A membership that a user here wants of a room, and that another server must let into it. */
export interface RemoteMembership {
  /** Whose membership it is. */
  readonly requester: Requester;
  readonly roomId: RoomId;
  /** Of the member event, `membership` among it. */
  readonly content: JsonObject;
  /** Servers that may know the room, those most likely to first. */
  readonly servers: readonly ServerName[];
}

/** A user is in a room by the word of another server. */
export interface RemoteJoin {
  /** Up to where the facts are; undefined where they were here before. */
  readonly position: Position | undefined;
}

/**
 * What other servers must do for the memberships of users here; federation implements it. They ask several servers in turn,
 * and throw what the last of them said that may interest the user: M_FORBIDDEN, M_NOT_FOUND, M_UNABLE_TO_AUTHORISE_JOIN …; where
 * none could be reached, M_UNKNOWN with status 502.
 */
export interface RemoteRooms {
  /** The room that an alias of another server points to, and servers in it. Throws M_NOT_FOUND. */
  findAlias(alias: RoomAlias): Promise<{ readonly roomId: RoomId; readonly servers: readonly ServerName[] }>;
  /**
   * Joins a room through a server that is in it, and brings it here where it is not; undefined where there is no other server to
   * ask.
   */
  join(wish: RemoteMembership): Promise<RemoteJoin | undefined>;
}

/** Injection token of the RemoteRooms; where there are none, no other server is spoken to. */
export const REMOTE_ROOMS = Symbol.for('annals.RemoteRooms');
