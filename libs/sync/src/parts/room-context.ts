import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { StayEnd } from '#rooms/queries/stay-end';
import type { RoomReader } from '#rooms/reading/room-reader';
import type { SyncContext } from '../streams/sync-context.js';
import type { RecentRows } from './recent-rows.js';

/** What the answer for one room is computed from. */
export interface RoomContext {
  readonly sync: SyncContext;
  readonly roomId: RoomId;
  /** The user before the room. */
  readonly reader: RoomReader;
  /** The timeline begins after this position; undefined where the client knows nothing of the room. */
  readonly after: Position | undefined;
  /** The timeline ends with this position. */
  readonly upTo: Position;
  /** What of the state at its end is for who has left; undefined: all of it. */
  readonly end?: StayEnd;
  /** The client does not have the room. */
  readonly isNew: boolean;
  /** The client is to get all of the state. */
  readonly isFull: boolean;
  /** The timeline backwards from `upTo`. */
  readonly recent: RecentRows;
}

/** The answer for one room. */
export interface RoomAnswer {
  readonly json: string;
  readonly isNews: boolean;
}
