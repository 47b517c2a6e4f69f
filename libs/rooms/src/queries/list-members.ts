import { erasureOf, findErasedUsers } from '#accounts/queries/erased-users';
import type { RoomId, UserId } from '#kernel/ids';
import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { Views } from '#projections/views';
import type { MemberRow } from '../projections/member-row.js';
import { MEMBERS, ROOM_MEMBERS } from '../projections/membership.projector.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findRowInRoom, placeOfTopology, readRowsAt } from '../reading/event-rows.js';
import type { OpenRoom } from '../reading/open-room.js';
import { readablePlace } from '../reading/readable-place.js';
import type { RoomReader } from '../reading/room-reader.js';
import { listStateRowsAfter, listStateRowsAt } from './past-state.js';
import { listStateRows, MEMBER } from './state-rows.js';
import { listStateRowsAtEnd } from './stay-end.js';
import { TOPOLOGY } from '../projections/timeline-collections.js';
import { topologyRange } from './timeline-places.js';

export interface MembersRequest {
  /** The members as of this place; undefined: now. */
  readonly at?: TimelinePlace;
  readonly membership?: string;
  readonly notMembership?: string;
}

/**
 * The m.room.member events of a room: client-server API, `GET /rooms/{roomId}/members`. With both a membership and one to leave
 * out, "the two parameters create an 'or' condition". Throws M_FORBIDDEN where the reader may not read the room as it was then.
 */
export async function listMembers(open: OpenRoom, request: MembersRequest): Promise<TimelineRow[]> {
  const { at, membership, notMembership } = request;
  const rows = (await listState(open, at)).filter(({ header }) => header.type === MEMBER);
  if (membership === undefined && notMembership === undefined) return rows;
  const isOther = ({ header }: TimelineRow): boolean =>
    notMembership !== undefined && header.membership !== notMembership;
  return rows.filter((row) => (membership !== undefined && row.header.membership === membership) || isOther(row));
}

async function listState(open: OpenRoom, at: TimelinePlace | undefined): Promise<TimelineRow[]> {
  const { views, roomId } = open.room;
  // Where an event of the past stands in the log says when it was fetched, and nothing of the state at it.
  const past = at && (await findPastEvent(open.room, at));
  if (past !== undefined) return listStateRowsAfter(views, roomId, past.header);
  const moment = await readablePlace(open, at?.place);
  if (moment === undefined) return listStateRows(views, roomId, MEMBER);
  const { position, isEnd } = moment;
  return isEnd ? listStateRowsAtEnd(open.room, position) : listStateRowsAt(views, roomId, position);
}

/** The event just before a place, where that is one of the past and the reader may see it. */
async function findPastEvent(room: RoomReader, at: TimelinePlace): Promise<TimelineRow | undefined> {
  const { views, roomId } = room;
  const range = topologyRange(roomId, undefined, at);
  const [last] = (await TOPOLOGY.scan(views, { ...range, reverse: true, limit: 1 })).map(placeOfTopology);
  if (last?.isHistory !== true) return undefined;
  const [row] = await readRowsAt(views, roomId, [last]);
  return row !== undefined && (await room.over([row])).maySee(row.header) ? row : undefined;
}

/**
 * The joined members with their names, but for those that were erased: `GET /rooms/{roomId}/joined_members`. A JSON text:
 * user id -> profile.
 */
export async function joinedMembersText(views: Views, roomId: RoomId): Promise<string> {
  const parts: string[] = [];
  for await (const page of ROOM_MEMBERS.pages(views, { prefix: [roomId, 'join'] })) {
    const users = page.map(({ key }) => key[2]);
    const members = await MEMBERS.getMany(
      views,
      users.map((userId) => [roomId, userId]),
    );
    const rowsOf = new Map(users.map((userId, i) => [userId, members[i]]));
    const erased = await findErasedNames(views, roomId, rowsOf);
    rowsOf.forEach((row, userId) => {
      const member = erased.has(userId) ? undefined : row;
      // NOTSPEC: null for what is unset, where the specification has no key: clients have always been answered so.
      const profile = { display_name: member?.displayname ?? null, avatar_url: member?.avatar_url ?? null };
      parts.push(`${JSON.stringify(userId)}:${JSON.stringify(profile)}`);
    });
  }
  return `{${parts.join()}}`;
}

/** Those of some members who are called here what they were before they erased themselves. PERF: mostly nobody has. */
async function findErasedNames(
  views: Views,
  roomId: RoomId,
  members: ReadonlyMap<UserId, MemberRow | undefined>,
): Promise<ReadonlySet<UserId>> {
  const names = new Set<UserId>();
  for (const [userId, times] of await findErasedUsers(views, new Set(members.keys()))) {
    const member = members.get(userId);
    // Where the event came, and not where it may have become the current one again.
    const row = member && (await findRowInRoom(views, roomId, member.event_id));
    if (row === undefined || erasureOf(times, row.header) !== undefined) names.add(userId);
  }
  return names;
}
