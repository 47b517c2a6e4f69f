import type { RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { currentMembership, type ReaderHistory, readerHistory, wasJoined } from './visibility.js';

/** What a reader may read of a room. */
export interface RoomReader {
  readonly history: ReaderHistory;
  /** The last position of the room that the reader may see the state of: where they left. undefined: all of it. */
  readonly until: Position | undefined;
}

/**
 * Lets in who is or was joined, and everybody where the room is world readable. Throws M_FORBIDDEN, for unknown rooms too:
 * whether a room exists is nobody's business who may not read it.
 */
export async function openRoom(views: Views, roomId: RoomId, userId: UserId): Promise<RoomReader> {
  const history = await readerHistory(views, roomId, userId);
  if (currentMembership(history) === 'join') return { history, until: undefined };
  if (await isWorldReadable(views, roomId)) return { history, until: undefined };
  if (!wasJoined(history)) throw new MatrixError('M_FORBIDDEN', 'You are not in this room');
  if (await isForgotten(views, userId, roomId)) throw new MatrixError('M_FORBIDDEN', 'You have forgotten this room');
  return { history, until: lastSeen(history) };
}

/** As `openRoom`, for what only those see who are in the room now. Throws M_FORBIDDEN. */
export async function checkJoined(views: Views, roomId: RoomId, userId: UserId): Promise<void> {
  const text = await views.get('members', [roomId, userId]);
  if (text !== undefined && (JSON.parse(text) as JsonObject)['membership'] === 'join') return;
  throw new MatrixError('M_FORBIDDEN', 'You are not in this room');
}

/** Whether everybody may read the room, joined or not. */
export async function isWorldReadable(views: Views, roomId: RoomId): Promise<boolean> {
  const text = await views.get('rooms', [roomId]);
  return text !== undefined && (JSON.parse(text) as JsonObject)['history_visibility'] === 'world_readable';
}

async function isForgotten(views: Views, userId: UserId, roomId: RoomId): Promise<boolean> {
  const text = await views.get('user-rooms', [userId, roomId]);
  return text !== undefined && (JSON.parse(text) as JsonObject)['forgotten'] === true;
}

/** Where the reader's last stay ended: the first change behind the last join. */
function lastSeen({ changes }: ReaderHistory): Position | undefined {
  const joined = changes.findLastIndex(({ membership }) => membership === 'join');
  return changes[joined + 1]?.position;
}
