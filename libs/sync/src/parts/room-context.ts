import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { ReaderHistory } from '#rooms/queries/visibility';
import type { SyncContext } from '../streams/sync-context.js';
import type { RecentRows } from './recent-rows.js';

/** What the answer for one room is computed from. */
export interface RoomContext {
  readonly sync: SyncContext;
  readonly roomId: RoomId;
  /** What the user was in the room, and when. */
  readonly history: ReaderHistory;
  /** The user was in the room all along the stretch of the timeline: every event of it is visible. */
  readonly seesAll: boolean;
  /** The timeline begins behind this position; undefined where the client knows nothing of the room. */
  readonly after: Position | undefined;
  /** The timeline ends with this position. */
  readonly upTo: Position;
  /** The client does not have the room. */
  readonly isNew: boolean;
  /** The client is to get all of the state. */
  readonly isFull: boolean;
  /** The timeline backwards from `upTo`. */
  readonly recent: RecentRows;
  readonly ignored: ReadonlySet<UserId>;
}

/** The answer for one room. */
export interface RoomAnswer {
  readonly json: string;
  readonly isNews: boolean;
}
