import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { ROOM_COUNTS } from '#rooms/projections/membership.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { findMembership, findMembershipAnywhere } from '#rooms/reading/find-membership';
import type { RoomDescription } from '#rooms/queries/describe-room';
import { isDescribedTo, mayKnowOf } from '#rooms/reading/may-know-of';
import type { SpacesElsewhere } from '#rooms/spaces-elsewhere';
import { type PublicRoom, publicRoomOf } from './list-public-rooms.js';

/** A room as `GET /room_summary/{roomIdOrAlias}` tells it. */
export interface SummaryOfRoom extends PublicRoom {
  readonly allowed_room_ids?: readonly string[];
  readonly encryption?: string;
  readonly room_version: string;
  /** What the user who asks is in it. */
  readonly membership?: string;
}

/**
 * What a room is like, for whoever may know of it: client-server API, `GET /room_summary/{roomIdOrAlias}`. Throws M_NOT_FOUND
 * for unknown rooms, and for those that the user (undefined: nobody) may not know of.
 */
export async function summariseRoom(views: Views, roomId: RoomId, userId: UserId | undefined): Promise<SummaryOfRoom> {
  const [summary, counts] = await Promise.all([ROOMS.get(views, [roomId]), ROOM_COUNTS.get(views, [roomId])]);
  const membership = userId === undefined ? undefined : ((await findMembership(views, roomId, userId)) ?? 'leave');
  if (summary === undefined || !(await mayKnowOf(views, summary, userId, membership))) {
    throw new MatrixError('M_NOT_FOUND', 'Unknown room');
  }
  return {
    ...publicRoomOf(roomId, summary, counts),
    allowed_room_ids: summary.allowed_room_ids,
    encryption: summary.encryption,
    room_version: summary.version,
    membership,
  };
}

/**
 * As `summariseRoom`, of a room that other servers have; undefined where none tells of it, or not for this user: "the servers to attempt to
 * request the summary from when the local server cannot generate it".
 */
export async function findSummaryElsewhere(
  views: Views,
  elsewhere: SpacesElsewhere,
  roomId: RoomId,
  via: readonly ServerName[],
  userId: UserId,
): Promise<(RoomDescription & Pick<SummaryOfRoom, 'membership'>) | undefined> {
  const described = (await elsewhere.find(roomId, via))?.described;
  if (described === undefined || !(await isDescribedTo(views, described, userId))) return undefined;
  return { ...described, membership: (await findMembershipAnywhere(views, roomId, userId)) ?? 'leave' };
}
