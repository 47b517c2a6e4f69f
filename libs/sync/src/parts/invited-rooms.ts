import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { POTENTIAL_MEMBERS_STATE } from '#rooms/facts/potential-members-state';
import { ELSEWHERE, type ElsewhereRow } from '#rooms/projections/elsewhere-rows';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findStateRowsAt } from '#rooms/queries/past-state';
import { renderStripped } from '#rooms/queries/render-event';
import type { RoomReader } from '#rooms/reading/room-reader';
import { withhold } from '#rooms/reading/withhold';

const MEMBER = 'm.room.member';

/** Stripped state for a user who is invited or knocks, and who invited them. */
export interface StrippedRoom {
  /** The sender of the user's member event. */
  readonly sender: UserId | undefined;
  /** The stripped state events, each a JSON text: the user's member event is the last. */
  readonly events: readonly string[];
}

/**
 * Reads what a user may know of a room before joining it: its state as far as it is told and as it was when they were invited
 * or knocked, and the two members concerned. `at` is the position of the user's member event.
 */
export async function readStrippedRoom(room: RoomReader, at: Position): Promise<StrippedRoom> {
  const { views, roomId } = room;
  const { userId } = room.reader;
  const elsewhere = await ELSEWHERE.get(views, [userId, roomId, at]);
  if (elsewhere !== undefined) return strippedOf(elsewhere, roomId);
  const keys = [...POTENTIAL_MEMBERS_STATE.map((type) => [type, ''] as const), [MEMBER, userId] as const];
  const rows = await findStateRowsAt(views, roomId, keys, at);
  const member = rows.pop();
  const sender = member?.header.sender;
  const [inviter] =
    sender === undefined || sender === userId ? [] : await findStateRowsAt(views, roomId, [[MEMBER, sender]], at);
  const told = [...rows, inviter, member].filter((row): row is TimelineRow => row !== undefined);
  const served = await withhold(await room.over(told), told);
  return { sender, events: served.map((row) => renderStripped(row, roomId)) };
}

/** Of a room that is not here: what its servers told. */
function strippedOf({ member, state }: ElsewhereRow, roomId: RoomId): StrippedRoom {
  const row = parseRow(member);
  return { sender: row.header.sender, events: [...state, renderStripped(row, roomId)] };
}
