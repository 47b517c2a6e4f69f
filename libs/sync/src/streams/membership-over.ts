import type { Place, Position } from '#kernel/position';
import { START } from '#kernel/position';
import { ELSEWHERE } from '#rooms/projections/elsewhere-rows';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findStateRowsAt } from '#rooms/queries/past-state';
import { findStateRow, MEMBER } from '#rooms/queries/state-rows';
import type { Reader } from '#rooms/reading/reader';
import type { RoomReader } from '#rooms/reading/room-reader';
import { findStanding, listStandings, type Standing } from '#rooms/reading/standing';
import { isAway } from '../notifier/active-user.js';

/** What became of a user in a room over the stretch that an answer covers. */
export interface MembershipOver {
  /** What the user was at the end of the stretch. */
  readonly last: Standing;
  /** The user was in the room at the beginning of the stretch or at some time in it, and has not forgotten that. */
  readonly wasIn: boolean;
  /** The client does not have the room: the user was not in it at the beginning. */
  readonly isNew: boolean;
  /** The client has it that the user is in the room, invited or knocks: the user was that at the beginning. */
  readonly wasThere: boolean;
  /** The client had the room, but the user has left and come back: much may have happened behind their back. */
  readonly cameBack: boolean;
}

/**
 * Looks at a user's memberships after `since` (exclusive; undefined: from the beginning) up to `until` (inclusive). undefined
 * where the room had not heard of the user by then.
 */
export async function membershipOver(
  { views, roomId, reader, now, wasIn: knowsRoom }: RoomReader,
  since: Position | undefined,
  until: Position,
): Promise<MembershipOver | undefined> {
  const { userId } = reader;
  const last = now !== undefined && now.since <= until ? now : await findStanding(views, roomId, userId, until);
  if (last === undefined) return undefined;
  const before = since === undefined ? undefined : await findStanding(views, roomId, userId, since);
  const isIn = last.membership === 'join';
  const isNew = before?.membership !== 'join';
  const wasIn = isIn || !isNew || last.left > (since ?? START);
  return {
    last,
    wasIn: wasIn && knowsRoom,
    isNew,
    wasThere: isThere(before),
    cameBack: !isNew && isIn && last.since > (since ?? START),
  };
}

/**
 * Whether a client is to hear that the user is not in a room any more which they have forgotten: where it has it that they are. That is all it
 * is told of the room, and nobody else is told anything.
 */
export function isEndUnheard({ last, wasThere }: Pick<MembershipOver, 'last' | 'wasThere'>): boolean {
  return wasThere && !isThere(last);
}

/**
 * Whether a client was told that its user is invited, or knocks, where before that they had been in the room: of how they left it the client
 * may not have heard, or have let go of it. Now that they are neither any more, the stay is what there is.
 */
export function isStayDue({ wasIn: knowsRoom }: RoomReader, { last, wasIn, wasThere }: MembershipOver): boolean {
  return knowsRoom && isAway(last.membership) && wasThere && !wasIn && last.left > START;
}

/** Whether somebody who was invited at a place had knocked. */
export async function hadKnocked({ views, roomId, reader }: RoomReader, at: Position): Promise<boolean> {
  const [, before] = await listStandings(views, roomId, reader.userId, { upTo: at, limit: 2 });
  return before?.membership === 'knock';
}

/** Whether somebody is in a room or on their way into it. */
function isThere(standing: Standing | undefined): boolean {
  return standing !== undefined && standing.membership !== 'leave' && standing.membership !== 'ban';
}

/**
 * As `membershipOver`, up to what the user was before their last membership: of an invitation by somebody whom they ignore they are not
 * told, but of the end of their stay before it. undefined where that is no news.
 */
export async function membershipBefore(
  room: RoomReader,
  { last }: MembershipOver,
  since: Position | undefined,
): Promise<MembershipOver | undefined> {
  const before = await standingBefore(room, last);
  if (before === undefined || before.since <= (since ?? START)) return undefined;
  return membershipOver(room, since, before.since);
}

/** What a user was in a room as they are told: of an invitation by somebody whom they ignore, what they were before it. */
export async function toldMembership(room: RoomReader, membership: string): Promise<string | undefined> {
  const { views, roomId, reader, now } = room;
  if (membership !== 'invite') return membership;
  const row = (await findElsewhere(room)) ?? (await findStateRow(views, roomId, MEMBER, reader.userId));
  if (row === undefined || !room.ignores(row.header)) return membership;
  const before = now && (await standingBefore(room, now))?.membership;
  // Where the room forked an invitation may take the place of a join: they are not in it any more.
  return before === 'join' ? 'leave' : before;
}

/**
 * The member event of somebody in a room that is not here, the last one or the last before a place; undefined where the room's own events
 * say what they are.
 */
export async function findElsewhere(
  { views, roomId, reader }: RoomReader,
  before?: Position,
): Promise<TimelineRow | undefined> {
  const { userId } = reader;
  if ((await USER_ROOMS.get(views, [userId, roomId]))?.elsewhere !== true) return undefined;
  const bound = before === undefined ? {} : ({ before: [userId, roomId, before] } as const);
  const [last] = await ELSEWHERE.scan(views, { prefix: [userId, roomId], ...bound, reverse: true, limit: 1 });
  return last && parseRow(last.value.member);
}

/** The member event that says how a user stands in a room, the last one at a place, also where the room was not here. */
export async function findMemberAt(
  {
    views,
    roomId,
    reader: { userId },
  }: Pick<RoomReader, 'views' | 'roomId'> & { readonly reader: Pick<Reader, 'userId'> },
  standing: Standing,
  place: Place,
): Promise<TimelineRow | undefined> {
  if (standing.isElsewhere !== true) return (await findStateRowsAt(views, roomId, [[MEMBER, userId]], place))[0];
  const prefix = [userId, roomId] as const;
  const bound =
    typeof place === 'string' ? { to: [...prefix, place] as const } : { before: [...prefix, place.before] as const };
  const [told] = await ELSEWHERE.scan(views, { prefix, ...bound, reverse: true, limit: 1 });
  return told && parseRow(told.value.member);
}

async function standingBefore({ views, roomId, reader }: RoomReader, last: Standing): Promise<Standing | undefined> {
  const [, before] = await listStandings(views, roomId, reader.userId, { upTo: last.since, limit: 2 });
  return before;
}
