import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { listJoinedRooms } from './list-user-rooms.js';

export interface MutualRooms {
  /** A page of them, in the order of their ids. */
  readonly joined: readonly RoomId[];
  /** How many there are. */
  readonly count: number;
  /** The last of the page where there are more. */
  readonly last?: RoomId;
}

/** The most rooms of a page. */
const PAGE = 1_000;

/**
 * The rooms to which two users are both joined, those after a room: client-server API, "Mutual Rooms". None with somebody whom
 * nobody knows.
 */
export async function listMutualRooms(
  views: Views,
  userId: UserId,
  other: UserId,
  after?: RoomId,
): Promise<MutualRooms> {
  const own = new Set(await listJoinedRooms(views, userId));
  const mutual: RoomId[] = [];
  for await (const page of USER_ROOMS.pages(views, { prefix: [other] })) {
    for (const { key, value } of page) if (value.membership === 'join' && own.has(key[1])) mutual.push(key[1]);
  }
  const rest = mutual.toSorted().filter((roomId) => after === undefined || roomId > after);
  const joined = rest.slice(0, PAGE);
  return { joined, count: mutual.length, ...(rest.length > PAGE && { last: joined.at(-1) }) };
}
