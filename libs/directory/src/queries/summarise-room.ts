import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { RoomSummary } from '#rooms/projections/room-summary.projector';
import { findMembership } from '#rooms/reading/find-membership';
import { publicRoomOf } from './list-public-rooms.js';

/** The join rules under which everybody may know of a room. */
const OPEN: ReadonlySet<string> = new Set(['public', 'knock', 'knock_restricted']);
/** The memberships with which a room is known anyway. */
const INSIDE: ReadonlySet<string | undefined> = new Set(['join', 'invite', 'knock']);

/**
 * What a room is like, for whoever may know of it: client-server API, `GET /room_summary/{roomIdOrAlias}`. Throws M_NOT_FOUND
 * for unknown rooms, and for those that the user (undefined: nobody) may not know of.
 */
export async function summariseRoom(views: Views, roomId: RoomId, userId: UserId | undefined): Promise<object> {
  const [text, counts] = await Promise.all([views.get('rooms', [roomId]), views.get('room-counts', [roomId])]);
  const summary = text === undefined ? undefined : (JSON.parse(text) as RoomSummary);
  const membership = userId === undefined ? undefined : ((await findMembership(views, roomId, userId)) ?? 'leave');
  const open =
    summary !== undefined && (OPEN.has(summary.join_rule) || summary.history_visibility === 'world_readable');
  const known = open || INSIDE.has(membership) || (await isLetIn(views, summary, userId));
  if (summary === undefined || !known) throw new MatrixError('M_NOT_FOUND', 'Unknown room');
  return {
    ...publicRoomOf(roomId, summary, counts),
    allowed_room_ids: summary.allowed_room_ids,
    encryption: summary.encryption,
    room_version: summary.version,
    membership,
  };
}

/** Whether the user is in one of the rooms whose members may join a restricted one. */
async function isLetIn(views: Views, summary: RoomSummary | undefined, userId: UserId | undefined): Promise<boolean> {
  if (userId === undefined || summary?.join_rule !== 'restricted') return false;
  const rooms = (summary.allowed_room_ids ?? []) as readonly RoomId[];
  const memberships = await Promise.all(rooms.map((roomId) => findMembership(views, roomId, userId)));
  return memberships.includes('join');
}
