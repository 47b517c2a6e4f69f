import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomSummary } from '../projections/room-summary.projector.js';
import { findMembership } from './find-membership.js';

/** The memberships with which a room is known anyway. */
const INSIDE: ReadonlySet<string | undefined> = new Set(['join', 'invite', 'knock']);

/**
 * Whether somebody (undefined: nobody in particular) may know what a room is like without being in it: its name, its topic,
 * how many are there. Who is, or could be, in it by what its join rule means in its version, and everybody where the world
 * may read it: client-server API, "Discovering rooms within spaces" and `GET /room_summary/{roomIdOrAlias}`.
 */
export async function mayKnowOf(
  views: Pick<Views, 'get'>,
  summary: RoomSummary,
  userId: UserId | undefined,
  membership: string | undefined,
): Promise<boolean> {
  if (summary.history_visibility === 'world_readable' || INSIDE.has(membership)) return true;
  // Who is banned may neither join nor knock.
  if (membership === 'ban') return false;
  const { join_rule: rule, allowed_room_ids: allowed = [] } = summary;
  const version = findRoomVersion(summary.version);
  if (rule === 'public') return true;
  if (rule === 'knock') return version?.knocking === true;
  if (rule === 'knock_restricted') return version?.knockRestrictedJoins === true;
  if (rule !== 'restricted' || version?.restrictedJoins !== true || userId === undefined) return false;
  for (const other of allowed) if ((await findMembership(views, other as RoomId, userId)) === 'join') return true;
  return false;
}
