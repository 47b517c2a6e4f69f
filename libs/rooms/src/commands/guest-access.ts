import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { RoomTurn } from '../worker/room-turn.js';

/** Throws M_GUEST_ACCESS_FORBIDDEN for a guest, unless the room lets guests join: client-server API, "Guest Access". */
export async function checkGuestMayJoin(turn: RoomTurn, { isGuest }: Requester): Promise<void> {
  if (isGuest !== true) return;
  const access = await turn.findState('m.room.guest_access');
  if (access?.content['guest_access'] === 'can_join') return;
  throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'This room is closed to guests');
}
