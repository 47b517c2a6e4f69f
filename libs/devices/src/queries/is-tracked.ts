import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { LISTED_MOVES, LISTED_ROOMS } from '../projections/device-lists.projector.js';

/**
 * Whether a user of another server has been in some room with somebody of ours (`ours`) ever since a position, or is now: so long their
 * server sends us what changes of their devices, and no longer.
 */
export async function isTracked(
  views: Pick<Views, 'scan'>,
  userId: UserId,
  ours: ServerName,
  since?: Position,
): Promise<boolean> {
  for await (const rooms of LISTED_ROOMS.pages(views, { prefix: [userId] })) {
    for (const { key, value } of rooms) {
      const [, roomId] = key;
      if (!value.joined || (since !== undefined && value.position > since)) continue;
      for await (const moves of LISTED_MOVES.pages(views, { prefix: [roomId], reverse: true })) {
        const isOurs = moves.some(
          (move) =>
            move.value === 'join' &&
            serverNameOf(move.key[2]) === ours &&
            (since === undefined || move.key[1] <= since),
        );
        if (isOurs) return true;
      }
    }
  }
  return false;
}
