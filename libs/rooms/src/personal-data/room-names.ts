import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { MEMBERS, ROOM_MEMBERS, type UserRoomRow } from '../projections/membership.projector.js';
import { ROOMS } from '../projections/room-summary.projector.js';
import { contentOfRow } from '../projections/timeline-row.js';
import { getStateRow } from '../queries/get-state.js';

/** So many of its members stand for the name of a room that has none. */
const MOST_NAMED = 3;

/** What a room is called to somebody: by what they may read of it, which is what it was when they left; its id where that says nothing. */
export async function nameRoomFor(
  views: Views,
  userId: UserId,
  roomId: RoomId,
  { membership, elsewhere }: Pick<UserRoomRow, 'membership' | 'elsewhere'>,
): Promise<string> {
  // Who is invited is told what it is called.
  if (membership === 'invite' && elsewhere !== true) {
    const summary = await ROOMS.get(views, [roomId]);
    return summary?.name ?? summary?.canonical_alias ?? roomId;
  }
  const name = await readText(views, userId, roomId, ['m.room.name', 'name']);
  const alias = name ?? (await readText(views, userId, roomId, ['m.room.canonical_alias', 'alias']));
  return alias ?? (membership === 'join' ? await nameByMembers(views, userId, roomId) : roomId);
}

async function readText(
  views: Views,
  userId: UserId,
  roomId: RoomId,
  [type, key]: readonly [type: string, key: string],
): Promise<string | undefined> {
  try {
    const { row } = await getStateRow(views, roomId, { userId, ignored: new Set() }, type, '');
    const text = contentOfRow(row)[key];
    return typeof text === 'string' && text !== '' ? text : undefined;
  } catch (error) {
    if (error instanceof MatrixError && error.status < 500) return undefined;
    throw error;
  }
}

async function nameByMembers(views: Views, userId: UserId, roomId: RoomId): Promise<string> {
  const standings = await Promise.all(
    ['join', 'invite'].map((standing) =>
      ROOM_MEMBERS.scan(views, { prefix: [roomId, standing], limit: MOST_NAMED + 1 }),
    ),
  );
  const others = standings
    .flat()
    .flatMap(({ key }) => (key[2] === userId ? [] : [key[2]]))
    .slice(0, MOST_NAMED);
  const rows = await MEMBERS.getMany(
    views,
    others.map((other) => [roomId, other] as const),
  );
  const names = others.map((other, i) => rows[i]?.displayname ?? other);
  return names.length === 0 ? roomId : names.join(', ');
}
