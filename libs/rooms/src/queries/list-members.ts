import type { RoomId } from '#kernel/ids';
import type { Place } from '#kernel/position';
import type { Views } from '#projections/views';
import { MEMBERS, ROOM_MEMBERS } from '../projections/membership.projector.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { listStateRowsAt } from './past-state.js';
import { listStateRows, MEMBER } from './state-rows.js';

export interface MembersRequest {
  /** The members as of this place; undefined: now. */
  readonly at?: Place;
  readonly membership?: string;
  readonly notMembership?: string;
}

/**
 * The m.room.member events of a room: client-server API, `GET /rooms/{roomId}/members`. With both a membership and one to leave
 * out, "the two parameters create an 'or' condition".
 */
export async function listMembers(views: Views, roomId: RoomId, request: MembersRequest): Promise<TimelineRow[]> {
  const { at, membership, notMembership } = request;
  const rows =
    at === undefined
      ? await listStateRows(views, roomId, MEMBER)
      : (await listStateRowsAt(views, roomId, at)).filter(({ header }) => header.type === MEMBER);
  if (membership === undefined && notMembership === undefined) return rows;
  const isOther = ({ header }: TimelineRow): boolean =>
    notMembership !== undefined && header.membership !== notMembership;
  return rows.filter((row) => (membership !== undefined && row.header.membership === membership) || isOther(row));
}

/** The joined members with their names: `GET /rooms/{roomId}/joined_members`. A JSON text: user id -> profile. */
export async function joinedMembersText(views: Views, roomId: RoomId): Promise<string> {
  const parts: string[] = [];
  for await (const page of ROOM_MEMBERS.pages(views, { prefix: [roomId, 'join'] })) {
    const users = page.map(({ key }) => key[2]);
    const members = await MEMBERS.getMany(
      views,
      users.map((userId) => [roomId, userId]),
    );
    users.forEach((userId, i) => {
      const member = members[i];
      // NOTSPEC: null for what is unset, where the specification has no key: clients have always been answered so.
      const profile = { display_name: member?.displayname ?? null, avatar_url: member?.avatar_url ?? null };
      parts.push(`${JSON.stringify(userId)}:${JSON.stringify(profile)}`);
    });
  }
  return `{${parts.join()}}`;
}
