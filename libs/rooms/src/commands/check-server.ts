import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { listSigningKeyIds } from '#protocol/signing/sign-json';
import type { Dropped } from '../receive/outcome.js';
import { isServerIn } from '../reading/server-standing.js';
import { isLetInByTurn } from '../worker/is-let-in-by-turn.js';
import type { RoomTurn } from '../worker/room-turn.js';
import type { RoomWorkers } from '../worker/room-workers.js';
import { UnknownRoom } from '../worker/unknown-room.js';

/** Throws M_FORBIDDEN where another server asks for somebody who is not its own. */
export function checkIsOf(userId: UserId, origin: ServerName): void {
  if (serverNameOf(userId) !== origin) throw new MatrixError('M_FORBIDDEN', `${userId} is not of ${origin}`);
}

/**
 * Throws M_FORBIDDEN for what another server gives as its own and has not sealed, hash and signature: whatever else it is, it says nothing
 * in the name of anybody. Whether the signature holds is seen once its key is there (`refusalOf`).
 */
export function checkIsSealedBy(pdu: JsonObject, origin: ServerName): void {
  if (isJsonObject(pdu['hashes']) && listSigningKeyIds(pdu, origin).length > 0) return;
  throw new MatrixError('M_FORBIDDEN', `The event is not signed by ${origin}`);
}

/** Why an event is not taken that another server gave for just this: M_FORBIDDEN where its signatures do not do, else M_INVALID_PARAM. */
export function refusalOf({ reason, isUnsigned }: Pick<Dropped, 'reason' | 'isUnsigned'>): MatrixError {
  return new MatrixError(isUnsigned === true ? 'M_FORBIDDEN' : 'M_INVALID_PARAM', reason);
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
 * there is one: whom a server may not let in, it says. Throws M_NOT_FOUND for a room that is not here, or of which only a part is and that
 * is not enough.
 */
export async function lookFor<T>(
  workers: RoomWorkers,
  roomId: RoomId,
  origin: ServerName,
  look: (turn: RoomTurn) => Promise<T>,
  { isPartEnough = false } = {},
): Promise<T> {
  const looking = workers.run(roomId, { actor: origin }, async (turn) => {
    // Another server goes on to the next where this one does not have what it asks for.
    if (turn.head.partial !== undefined && !isPartEnough)
      return { refusal: new MatrixError('M_NOT_FOUND', 'Not all of this room is here') };
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
  if (!(await isLetInByTurn(turn, origin))) {
    throw new MatrixError('M_FORBIDDEN', `${origin} may take no part in this room`);
  }
}
