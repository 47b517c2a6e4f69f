import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { isAllowedByAcl } from '#protocol/server-acl';
import { isServerIn } from '../reading/server-standing.js';
import type { RoomTurn } from '../worker/room-turn.js';
import type { RoomWorkers } from '../worker/room-workers.js';
import { UnknownRoom } from '../worker/unknown-room.js';

/** Throws M_FORBIDDEN where another server asks for somebody who is not its own. */
export function checkIsOf(userId: UserId, origin: ServerName): void {
  if (serverNameOf(userId) !== origin) throw new MatrixError('M_FORBIDDEN', `${userId} is not of ${origin}`);
}

/**
 * Throws M_NOT_FOUND for a room that nobody of this server is in: what it knows of it is of the past, and it may let nobody in.
 * Server-server API, "Joining Rooms".
 */
export async function checkIsResident(views: Views, roomId: RoomId, ours: ServerName): Promise<void> {
  if (!(await isServerIn(views, roomId, ours))) throw notInRoom();
}

function notInRoom(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'Nobody of this server is in this room');
}

/**
 * Looks at a room for another server. What refuses it is told as it is, where a user who is a stranger to the room would not hear whether
 * there is one: whom a server may not let in, it says. Throws M_NOT_FOUND for a room that is not here.
 */
export async function lookFor<T>(
  workers: RoomWorkers,
  roomId: RoomId,
  origin: ServerName,
  look: (turn: RoomTurn) => Promise<T>,
): Promise<T> {
  const looking = workers.run(roomId, { actor: origin }, async (turn) => {
    try {
      return { seen: await look(turn) };
    } catch (error) {
      if (error instanceof MatrixError) return { refusal: error };
      throw error;
    }
  });
  try {
    const { result } = await looking;
    if ('refusal' in result) throw result.refusal;
    return result.seen;
  } catch (error) {
    throw error instanceof UnknownRoom ? notInRoom() : error;
  }
}

/** Throws M_FORBIDDEN where the room keeps a server out: server-server API, "Server Access Control Lists (ACLs)". */
export async function checkAcl(turn: RoomTurn, origin: ServerName): Promise<void> {
  const acl = await turn.findState('m.room.server_acl');
  if (acl !== undefined && !isAllowedByAcl(acl.content, origin)) {
    throw new MatrixError('M_FORBIDDEN', `${origin} may take no part in this room`);
  }
}
