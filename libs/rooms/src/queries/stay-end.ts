import type { Place, Position } from '#kernel/position';
import { TIMELINE } from '../projections/timeline-collections.js';
import { rowHeaderOf, type TimelineRow } from '../projections/timeline-row.js';
import type { RoomReader } from '../reading/room-reader.js';
import { findStateRowsAt, listStateRowsAt } from './past-state.js';
import { MEMBER, type StateKey } from './state-rows.js';

/** What of a room's state is for who left it. */
export interface StayEnd {
  /** The last place whose state they are shown, */
  readonly place: Place;
  /** and what is shown in the place of their own member event of then; undefined: that of then. */
  readonly own?: readonly TimelineRow[];
}

/**
 * What of a room's state is for a reader whose stay ended at a position. Where more of the state changed by that event than their
 * membership, as behind a gap or where the room forked, the rest may be of the time after they were put out: they are shown what was
 * there just before, and their own end.
 */
export async function findStayEnd({ views, roomId, reader }: RoomReader, left: Position): Promise<StayEnd> {
  const text = await TIMELINE.get(views, [roomId, left]);
  if (text === undefined || rowHeaderOf(text).isResolved !== true) return { place: left };
  const own = await findStateRowsAt(views, roomId, [[MEMBER, reader.userId]], left);
  return { place: { before: left }, own: own.filter((row) => row !== undefined) };
}

/** The state of a room for a reader whose stay ended at a position. */
export async function listStateRowsAtEnd(room: RoomReader, left: Position): Promise<TimelineRow[]> {
  const { place, own } = await findStayEnd(room, left);
  const rows = await listStateRowsAt(room.views, room.roomId, place);
  if (own === undefined) return rows;
  return [...rows.filter(({ header }) => !isOwn(room, [header.type, header.stateKey ?? ''])), ...own];
}

/** One key of that state; undefined where it is not there. */
export async function findStateRowAtEnd(
  room: RoomReader,
  left: Position,
  key: StateKey,
): Promise<TimelineRow | undefined> {
  const { place, own } = await findStayEnd(room, left);
  if (own !== undefined && isOwn(room, key)) return own[0];
  const [row] = await findStateRowsAt(room.views, room.roomId, [key], place);
  return row;
}

function isOwn({ reader }: RoomReader, [type, stateKey]: StateKey): boolean {
  return type === MEMBER && stateKey === reader.userId;
}
