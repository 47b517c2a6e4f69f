import { isRoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import type { AuthState } from '#protocol/event-auth/auth-state';
import { creatorOf, levelNeeded, powerLevelOf } from '#protocol/event-auth/power-levels';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { findPartial } from '../queries/partial-rooms.js';
import { isServerIn } from '../reading/server-standing.js';
import { findMembership } from '../reading/find-membership.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { ROOM_MEMBERS } from '../projections/membership.projector.js';

/** How many members are looked at for one who may vouch for a join, where no level names one. */
const MAX_MEMBERS = 1_000;

/** Why this server does not vouch for a join. */
export type NotVouched = 'not-restricted' | 'unknown-rooms' | 'unfulfilled' | 'nobody-may-invite';

/**
 * The content of a user's own join with who of this server vouches for it, where the join rule asks for that ("Restricted
 * rooms"). This server signs what it says here, so what the client said of it is never taken over.
 */
export async function authorisedJoin(
  turn: RoomTurn,
  views: Views,
  joining: UserId,
  content: JsonObject,
  ours: ServerName,
): Promise<{ readonly content: JsonObject; readonly notVouched?: NotVouched }> {
  const { join_authorised_via_users_server: _, ...own } = content;
  const membership = await turn.findMembership(joining);
  if (membership === 'join' || membership === 'invite') return { content: own };
  const found = await findAuthoriser(turn, views, joining, ours);
  if ('why' in found) return { content: own, notVouched: found.why };
  return { content: { ...own, join_authorised_via_users_server: found.authoriser } };
}

/**
 * A user of this server who is in the room and may invite, where the joining user fulfils one of the conditions of a
 * restricted room; why there is none: the authorisation rules then refuse the join.
 */
export async function findAuthoriser(
  turn: RoomTurn,
  views: Views,
  joining: UserId,
  ours: ServerName,
): Promise<{ readonly authoriser: UserId } | { readonly why: NotVouched }> {
  const { version } = turn.head;
  const rules = (await turn.findState('m.room.join_rules'))?.content ?? {};
  if (!isRestricted(rules, version)) return { why: 'not-restricted' };
  const condition = await fulfilsOne(views, rules, joining, ours);
  if (condition !== 'fulfilled') return { why: condition };
  const levels = await turn.powerLevels();
  const needed = levelNeeded('invite', levels, version);
  const vouches = async (userId: UserId): Promise<boolean> =>
    serverNameOf(userId) === ours &&
    powerLevelOf(userId, levels, version) >= needed &&
    (await turn.findMembership(userId)) === 'join';
  for (const userId of namedUsers(levels, version)) if (await vouches(userId)) return { authoriser: userId };
  if (levelNeeded('users_default', levels, version) < needed) return { why: 'nobody-may-invite' };
  const rows = await ROOM_MEMBERS.scan(views, { prefix: [turn.roomId, 'join'], limit: MAX_MEMBERS });
  for (const { key: [, , userId] } of rows) if (await vouches(userId)) return { authoriser: userId }; // prettier-ignore
  return { why: 'nobody-may-invite' };
}

function isRestricted({ join_rule: rule }: JsonObject, version: RoomVersion): boolean {
  return (
    (rule === 'restricted' && version.restrictedJoins) || (rule === 'knock_restricted' && version.knockRestrictedJoins)
  );
}

/**
 * Whether a user is in one of the rooms that the rules name. Of those that this server is not in, or has a part of, another server may know
 * it.
 */
async function fulfilsOne(
  views: Views,
  { allow }: JsonObject,
  joining: UserId,
  ours: ServerName,
): Promise<'fulfilled' | 'unfulfilled' | 'unknown-rooms'> {
  let areKnown = true;
  for (const condition of Array.isArray(allow) ? allow : []) {
    if (!isJsonObject(condition) || condition['type'] !== 'm.room_membership') continue;
    const { room_id: roomId } = condition;
    // What is no room id is a room that nobody is in.
    if (typeof roomId !== 'string' || !isRoomId(roomId) || !(await isServerIn(views, roomId, ours))) {
      areKnown = false;
      continue;
    }
    const isPartial = (await findPartial(views, roomId)) !== undefined;
    if ((await findMembership(views, roomId, joining)) === 'join') return 'fulfilled';
    if (isPartial) areKnown = false;
  }
  return areKnown ? 'unfulfilled' : 'unknown-rooms';
}

/** Those who probably may invite: the creators and whoever has a level of their own. */
function namedUsers(levels: AuthState, version: RoomVersion): Set<UserId> {
  const { createEvent } = levels;
  const named = new Set<unknown>(createEvent && [creatorOf(createEvent, version)]);
  const others = version.privilegedCreators ? createEvent?.content['additional_creators'] : undefined;
  for (const userId of Array.isArray(others) ? others : []) named.add(userId);
  const users = levels.get('m.room.power_levels', '')?.content['users'];
  for (const userId of isJsonObject(users) ? Object.keys(users) : []) named.add(userId);
  return named as Set<UserId>; // the authorisation rules let only user ids in; an odd one of an old room is no member
}
