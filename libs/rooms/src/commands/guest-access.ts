import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { RoomTurn } from '../worker/room-turn.js';

/** Throws M_GUEST_ACCESS_FORBIDDEN for a guest, unless the room lets guests join: client-server API, "Guest Access". */
export async function checkGuestMayJoin(turn: RoomTurn, { isGuest }: Requester): Promise<void> {
  if (isGuest === true && !(await welcomesGuests(turn))) throw closedToGuests();
}

export async function welcomesGuests(turn: RoomTurn): Promise<boolean> {
  const access = await turn.findState('m.room.guest_access');
  return access?.content['guest_access'] === 'can_join';
}

export function closedToGuests(): MatrixError {
  return new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'This room is closed to guests');
}
