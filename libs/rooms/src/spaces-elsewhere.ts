import type { RoomId, ServerName } from '#kernel/ids';
import type { RoomDescription } from './queries/describe-room.js';
import type { SpaceChild } from './queries/list-space-children.js';

/** A room of which another server has told. */
export interface SpaceElsewhere {
  readonly described: RoomDescription;
  /** Of a space, in their order. */
  readonly children: readonly SpaceChild[];
  /** What the server has said of the children that this server may know of. */
  readonly childrenDescribed: ReadonlyMap<RoomId, RoomDescription>;
  /** Those that this server may not know of, whomever it asks. */
  readonly closed: ReadonlySet<RoomId>;
}

/** What rooms need of who can ask other servers for rooms that are not here; `libs/federation` implements it. */
export interface SpacesElsewhere {
  /**
   * What the first of some servers says that tells anything of a room, as it was within the last minutes; undefined where none does.
   * Never throws for a fault of another server, and takes some seconds at most.
   */
  find(roomId: RoomId, via: readonly ServerName[]): Promise<SpaceElsewhere | undefined>;
}

/** Injection token of the SpacesElsewhere; where there are none, only rooms that are here are told of. */
export const SPACES_ELSEWHERE = Symbol.for('annals.SpacesElsewhere');
