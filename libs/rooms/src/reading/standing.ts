import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Entry } from '#projections/collection';
import type { Views } from '#projections/views';
import { MEMBERSHIP_LOG, type MembershipLogRow } from '../projections/membership-log.js';
import { USER_ROOMS } from '../projections/membership.projector.js';

/** What a user is in a room from a place of the log on, until their membership changes again. */
export interface Standing {
  readonly membership: string;
  /** The place from which on it is so. */
  readonly since: Position;
  /** Where the last stay before it ended: the first change to anything else after a join. START where there was none. */
  readonly left: Position;
  /** It was told of the room while that was not here. Anybody can tell so: see `membershipInRoom`. */
  readonly isElsewhere?: true;
}

/** What the room itself makes of a user, by which they may read it: it knows nothing of what was told while it was not here. */
export function membershipInRoom({ membership, isElsewhere }: Standing): string {
  return isElsewhere === true ? 'leave' : membership;
}

/**
 * What a user was in a room just after a position, or is now. undefined where the room had not heard of them. One read,
 * however often the membership has changed.
 */
export async function findStanding(
  views: Pick<Views, 'scan'>,
  roomId: RoomId,
  userId: UserId,
  at?: Position,
): Promise<Standing | undefined> {
  const [last] = await listStandings(views, roomId, userId, { upTo: at, limit: 1 });
  return last;
}

/** The changes of a user's membership up to a position (inclusive), or all of them, newest first. */
export async function listStandings(
  views: Pick<Views, 'scan'>,
  roomId: RoomId,
  userId: UserId,
  { upTo, limit }: { readonly upTo?: Position; readonly limit: number },
): Promise<Standing[]> {
  const rows = await MEMBERSHIP_LOG.scan(views, {
    prefix: [roomId, userId],
    to: upTo && [roomId, userId, upTo],
    reverse: true,
    limit,
  });
  return rows.map(standingOf);
}

/** The first place after a position at which a user joined a room; undefined where they never did. */
export async function findNextJoin(
  views: Pick<Views, 'scan'>,
  roomId: RoomId,
  userId: UserId,
  after: Position,
): Promise<Position | undefined> {
  let from = after;
  for (;;) {
    const rows = await MEMBERSHIP_LOG.scan(views, {
      prefix: [roomId, userId],
      after: [roomId, userId, from],
      limit: PAGE,
    });
    const standings = rows.map(standingOf);
    const joined = standings.find(({ membership }) => membership === 'join');
    if (joined !== undefined || rows.length < PAGE) return joined?.since;
    from = standings.at(-1)!.since;
  }
}

/** Whether a user has forgotten a room and not joined it since: then what was there before is closed to them. */
export async function hasForgotten(views: Pick<Views, 'get'>, roomId: RoomId, userId: UserId): Promise<boolean> {
  return (await USER_ROOMS.get(views, [userId, roomId]))?.closed === true;
}

const PAGE = 100;

type Change = Entry<readonly [RoomId, UserId, Position], MembershipLogRow>;

function standingOf({ key: [, , since], value: { membership, left = START, elsewhere } }: Change): Standing {
  return elsewhere === true ? { membership, since, left, isElsewhere: true } : { membership, since, left };
}
