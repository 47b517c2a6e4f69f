import type { RoomId, ServerName, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomSummary } from '../projections/room-summary.projector.js';
import { findMembership, findMembershipAnywhere } from './find-membership.js';
import type { OpenBy } from './server-reader.js';
import { findServerStanding, isServerIn } from './server-standing.js';

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
  if (INSIDE.has(membership)) return true;
  // Who is banned may neither join nor knock.
  if (membership === 'ban') return summary.history_visibility === 'world_readable';
  return isOpenTo(summary, async (roomId) => {
    return userId !== undefined && (await findMembership(views, roomId, userId)) === 'join';
  });
}

/**
 * As `mayKnowOf`, of another server: whether one of its users may, and so not where the room is for users of one server alone. Server-server
 * API, `GET /hierarchy/{roomId}`.
 */
export async function mayServerKnowOf(
  { views, acls }: OpenBy,
  roomId: RoomId,
  summary: RoomSummary,
  server: ServerName,
): Promise<boolean> {
  if (!summary.federate || !(await acls.isLetIn(roomId, server))) return false;
  const standing = await findServerStanding(views, roomId, server);
  return INSIDE.has(standing?.membership) || isOpenTo(summary, (other) => isServerIn(views, other, server));
}

/** What another server says of who may join a room; as clients are told it too. */
interface DescribedRules {
  readonly room_id: RoomId;
  readonly world_readable: boolean;
  readonly join_rule?: string;
  readonly allowed_room_ids?: readonly string[];
  readonly room_version?: string;
}

/** Servers from before v1.15 do not say which version a room has: then it is one that has every rule. */
const WITH_EVERY_RULE = '10';

/** As `mayKnowOf`, of a room that another server describes. "Assumed to be `public`", where it does not say the join rule. */
export async function isDescribedTo(
  views: Pick<Views, 'get'>,
  { room_id: roomId, world_readable: isReadable, join_rule: rule = 'public', ...rules }: DescribedRules,
  userId: UserId,
): Promise<boolean> {
  const known = {
    history_visibility: isReadable ? ('world_readable' as const) : ('shared' as const),
    join_rule: rule,
    allowed_room_ids: rules.allowed_room_ids,
    version: rules.room_version ?? WITH_EVERY_RULE,
  };
  const isIn = async (other: RoomId): Promise<boolean> => (await findMembership(views, other, userId)) === 'join';
  return INSIDE.has(await findMembershipAnywhere(views, roomId, userId)) || isOpenTo(known, isIn);
}

/** What others may know of a room as well. */
type KnownOf = Pick<RoomSummary, 'history_visibility' | 'join_rule' | 'allowed_room_ids' | 'version'>;

/** Whether who is not in a room may read it, join it or knock at it. `isIn`: whether they are in another room. */
async function isOpenTo(
  { history_visibility: visibility, join_rule: rule, allowed_room_ids: allowed = [], version: id }: KnownOf,
  isIn: (roomId: RoomId) => Promise<boolean>,
): Promise<boolean> {
  if (visibility === 'world_readable' || rule === 'public') return true;
  const version = findRoomVersion(id);
  if (rule === 'knock') return version?.knocking === true;
  if (rule === 'knock_restricted') return version?.knockRestrictedJoins === true;
  if (rule !== 'restricted' || version?.restrictedJoins !== true) return false;
  for (const other of allowed) if (await isIn(other as RoomId)) return true;
  return false;
}
