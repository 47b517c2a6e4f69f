import { MatrixError } from '#kernel/matrix-error';
import { type Place, type Position, START } from '#kernel/position';
import type { RowHeader } from '../projections/timeline-row.js';
import { findLastRow } from './event-rows.js';
import type { OpenRoom } from './open-room.js';
import type { RoomReader } from './room-reader.js';
import { findNextJoin, findStanding } from './standing.js';

/** A moment whose state a reader is shown. */
export interface ReadableMoment {
  readonly position: Position;
  /** A stay of the reader ended there. */
  readonly isEnd: boolean;
}

/**
 * The position whose state a reader is shown who asks for that of a place (undefined: of now): that of the last event before
 * the place, where another sent just after it would be theirs to see; else where their last stay before it ended; else where
 * their next one began. undefined: now. Throws M_FORBIDDEN for who had no stay, and may read the room only at other times.
 */
export async function readablePlace(
  { room, until }: OpenRoom,
  place: Place | undefined,
): Promise<ReadableMoment | undefined> {
  if (place === undefined) return until && { position: until, isEnd: true };
  const last = (await findLastRow(room.views, room.roomId, place))?.header;
  const position = last?.position ?? START;
  if (until !== undefined && position >= until) return { position: until, isEnd: true };
  if (last !== undefined && (await isReadableAfter(room, last))) return { position, isEnd: false };
  if (room.now !== undefined) {
    const { views, roomId, reader } = room;
    const then = await findStanding(views, roomId, reader.userId, position);
    if (then !== undefined && then.left > START) return { position: then.left, isEnd: true };
    const next = await findNextJoin(views, roomId, reader.userId, position);
    if (next !== undefined) return { position: next, isEnd: false };
  }
  throw new MatrixError('M_FORBIDDEN', 'You may not read the room as it was then');
}

/** Whether a reader would see an event that was sent just after another. */
async function isReadableAfter(room: RoomReader, last: RowHeader): Promise<boolean> {
  const { position, isAside, setsVisibility = last.visibility } = last;
  // What was in force at an event at which the room forked was not so in the room: that is for its members alone.
  const visibility = isAside === true ? 'joined' : setsVisibility;
  return (await room.overStretch(position, position)).maySee({ position, visibility, type: '' });
}
