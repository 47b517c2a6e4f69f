import type { RoomAlias, RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';

/** What rooms need of the room aliases of this server; `libs/directory` keeps them. */
export interface AliasBook {
  /**
   * Lets an alias of this server point to a room. One that was claimed for a room which never began is free again. Throws
   * M_ROOM_IN_USE, M_INVALID_PARAM, M_FORBIDDEN.
   */
  claim(alias: RoomAlias, roomId: RoomId, requester: Requester): Promise<void>;
  /** Takes an alias that points to this room away; no error where it does not. */
  release(alias: RoomAlias, roomId: RoomId, requester: Requester): Promise<void>;
  /**
   * Lets an alias that points to one room point to another, in one write; no error where it does not point there. It stays
   * with who made it.
   */
  move(alias: RoomAlias, from: RoomId, to: RoomId, requester: Requester): Promise<void>;
  /** The room an alias points to; undefined where it is unknown here. */
  resolve(alias: RoomAlias): Promise<RoomId | undefined>;
  /**
   * As `resolve`, for whoever wants to go there: one that is not there may be made for that. Throws M_UNKNOWN with status 408 where who
   * makes it does not answer.
   */
  find(alias: RoomAlias): Promise<RoomId | undefined>;
  /** All aliases of this server that point to a room. */
  listOf(roomId: RoomId): Promise<RoomAlias[]>;
}

/** Injection token of the AliasBook. */
export const ALIAS_BOOK = Symbol.for('annals.AliasBook');
