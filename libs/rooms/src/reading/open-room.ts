import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { ROOMS } from '../projections/room-summary.projector.js';
import { findMembership } from './find-membership.js';
import type { Reader } from './reader.js';
import { findRoomReader, type RoomReader } from './room-reader.js';
import { membershipInRoom } from './standing.js';

/** What somebody wants to read of a room: single events, each for itself, or what the room is as a whole. */
type Wish = 'events' | 'state';

/** A reader who was let into a room. */
export interface OpenRoom {
  readonly room: RoomReader;
  /** The last position of the room whose state the reader may see: where their last stay ended. undefined: all of it. */
  readonly until: Position | undefined;
}

/**
 * Lets in who is or was in the room and has not forgotten it, and everybody where the world may read it now; to read events
 * also who is invited, where history is visible to the invited. Throws M_FORBIDDEN, for unknown rooms too: whether a room
 * exists is nobody's business who may not read it.
 */
export async function openRoom(views: Views, roomId: RoomId, reader: Reader, wish?: Wish): Promise<OpenRoom> {
  const open = await letIn(await findRoomReader(views, roomId, reader), wish);
  if (open === undefined) throw new MatrixError('M_FORBIDDEN', 'You are not in this room');
  return open;
}

/** As `openRoom`, for a reader who stands before the room already; undefined where they may not read it. */
export async function letIn(room: RoomReader, wish: Wish = 'state'): Promise<OpenRoom | undefined> {
  if (room.isIn) return { room, until: undefined };
  const visibility = (await ROOMS.get(room.views, [room.roomId]))?.history_visibility;
  if (visibility === 'world_readable') return { room, until: undefined };
  const mayInvitedRead = wish === 'events' && visibility === 'invited';
  if (mayInvitedRead && room.now !== undefined && membershipInRoom(room.now) === 'invite')
    return { room, until: undefined };
  return room.wasIn ? { room, until: room.left } : undefined;
}

/** For what only those see who are in the room now. Throws M_FORBIDDEN, for unknown rooms too. */
export async function checkJoined(views: Pick<Views, 'get'>, roomId: RoomId, userId: UserId): Promise<void> {
  if ((await findMembership(views, roomId, userId)) === 'join') return;
  throw new MatrixError('M_FORBIDDEN', 'You are not in this room');
}

/** Whether everybody may read the room as it is now, joined or not. */
export async function isWorldReadable(views: Pick<Views, 'get'>, roomId: RoomId): Promise<boolean> {
  return (await ROOMS.get(views, [roomId]))?.history_visibility === 'world_readable';
}
