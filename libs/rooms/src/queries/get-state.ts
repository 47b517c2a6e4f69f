import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { TimelineRow } from '../projections/timeline-row.js';
import { type OpenRoom, openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';
import { asServed } from '../reading/withhold.js';
import { openWhole } from './partial-rooms.js';
import { findStateRow, listStateRows, listStateRowsWith, MEMBER } from './state-rows.js';
import { findStateRowAtEnd, listStateRowsAtEnd } from './stay-end.js';

/** The state of a room, or a part of it, and the reader before the room. */
export interface SeenState {
  readonly room: RoomReader;
  readonly rows: readonly TimelineRow[];
}

/**
 * The state of a room as the reader may see it: now, or where they left it. Throws M_FORBIDDEN where they may not read the
 * room at all, RoomIsPartial where all of it is not here in time. `members`: of its members these alone, who are here.
 */
export async function listStateFor(
  views: Views,
  roomId: RoomId,
  reader: Reader,
  members?: readonly UserId[],
): Promise<SeenState> {
  const { room, until } = await (members === undefined ? openWhole : openRoom)(views, roomId, reader);
  if (until === undefined) {
    const rows = members === undefined ? listStateRows(views, roomId) : listStateRowsWith(views, roomId, members);
    return { room, rows: await rows };
  }
  const named = members && new Set<string | undefined>(members);
  const all = await listStateRowsAtEnd(room, until);
  return { room, rows: all.filter(({ header }) => header.type !== MEMBER || named?.has(header.stateKey) !== false) };
}

/** One key of the state, as `listStateFor` would have it. Throws M_FORBIDDEN, M_NOT_FOUND, RoomIsPartial. */
export async function getStateRow(
  views: Views,
  roomId: RoomId,
  reader: Reader,
  type: string,
  stateKey: string,
): Promise<{ readonly room: RoomReader; readonly row: TimelineRow }> {
  let open = await openRoom(views, roomId, reader);
  let row = await findRowFor(open, type, stateKey);
  // Of a room of which a part is here nobody knows who else is a member.
  if (row === undefined && type === MEMBER && stateKey !== reader.userId) {
    open = await openWhole(views, roomId, reader);
    row = await findRowFor(open, type, stateKey);
  }
  const { room } = open;
  if (row === undefined) throw new MatrixError('M_NOT_FOUND', 'The room has no such state');
  return { room, row: await asServed(room, row) };
}

function findRowFor({ room, until }: OpenRoom, type: string, stateKey: string): Promise<TimelineRow | undefined> {
  return until === undefined
    ? findStateRow(room.views, room.roomId, type, stateKey)
    : findStateRowAtEnd(room, until, [type, stateKey]);
}
