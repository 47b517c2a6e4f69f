import type { RoomId, ServerName, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { SERVER_LOG } from '#rooms/projections/server-log';
import { LISTED_ROOMS } from '../projections/device-lists.projector.js';

/**
 * Whether a user of another server has been in some room with somebody of ours (`ours`) ever since a position, or is now: so long their
 * server sends us what changes of their devices, and no longer. PERF: reads of a room what became of our users there since, and of no others.
 */
export async function isTracked(
  views: Pick<Views, 'scan'>,
  userId: UserId,
  ours: ServerName,
  since?: Position,
): Promise<boolean> {
  for await (const rooms of LISTED_ROOMS.pages(views, { prefix: [userId] })) {
    for (const { key, value } of rooms) {
      if (!value.joined || (since !== undefined && value.position > since)) continue;
      if (await hasBeenIn(views, key[1], ours, since)) return true;
    }
  }
  return false;
}

/** Whether somebody of a server is in a room, and there was somebody ever since a position. */
async function hasBeenIn(
  views: Pick<Views, 'scan'>,
  roomId: RoomId,
  server: ServerName,
  since: Position | undefined,
): Promise<boolean> {
  for await (const rows of SERVER_LOG.pages(views, { prefix: [roomId, server], reverse: true })) {
    for (const { key, value } of rows) {
      if (value.joined === 0) return false;
      if (since === undefined || key[2] <= since) return true;
    }
  }
  return false;
}
