import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { findStateRowsAt } from '#rooms/queries/past-state';
import { findStateRowAtEnd } from '#rooms/queries/stay-end';
import type { Reader } from '#rooms/reading/reader';
import { findRoomReader } from '#rooms/reading/room-reader';
import type { KnownRoom } from '../notifier/active-user.js';

const ENCRYPTION = ['m.room.encryption', ''] as const;

/**
 * Whether a room counts as encrypted for somebody who is not in it: as it was when they were invited or knocked, else as it was when
 * their last stay ended. What became of it since then is not for them.
 */
export async function isSeenEncrypted(
  views: Views,
  roomId: RoomId,
  userId: UserId,
  { membership, position }: KnownRoom,
): Promise<boolean> {
  const isStripped = membership === 'invite' || membership === 'knock';
  const [row] = isStripped
    ? await findStateRowsAt(views, roomId, [ENCRYPTION], position)
    : [await findAtEnd(views, roomId, { userId, ignored: NOBODY })];
  return typeof (row && contentOfRow(row)['algorithm']) === 'string';
}

const NOBODY: Reader['ignored'] = new Set();

async function findAtEnd(views: Views, roomId: RoomId, reader: Reader): ReturnType<typeof findStateRowAtEnd> {
  const room = await findRoomReader(views, roomId, reader);
  // Who was invited and nothing else knows nothing of the room any more.
  return room.left === undefined ? undefined : findStateRowAtEnd(room, room.left, ENCRYPTION);
}
