import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { parseRow, rowHeaderOf, type TimelineRow } from '../projections/timeline-row.js';

/** A key of the state dictionary. */
export type StateKey = readonly [type: string, stateKey: string];

export const MEMBER = 'm.room.member';
/** Behind every state key of a member: user ids, which these are, begin with an @. */
const LAST_KEY = '\u{10ffff}';

/** The key in the state dictionary of a state event. */
export function stateKeyOfRow({ header }: TimelineRow): string {
  return stateKeyOf(header.type, header.stateKey ?? '');
}

/** What holds a key of the state now; undefined where nothing does. */
export async function findStateRow(
  views: Views,
  roomId: RoomId,
  type: string,
  stateKey: string,
): Promise<TimelineRow | undefined> {
  const text = await ROOM_STATE.get(views, [roomId, type, stateKey]);
  return text === undefined ? undefined : parseRow(text);
}

/** What holds some keys of the state now, in their order; undefined for those that nothing holds. */
export async function findStateRows(
  views: Pick<Views, 'getMany'>,
  roomId: RoomId,
  keys: readonly StateKey[],
): Promise<(TimelineRow | undefined)[]> {
  const texts = await ROOM_STATE.getMany(
    views,
    keys.map((key) => [roomId, ...key]),
  );
  return texts.map((text) => (text === undefined ? undefined : parseRow(text)));
}

/** The state of a room now, or what is of one type in it. */
export async function listStateRows(views: Views, roomId: RoomId, type?: string): Promise<TimelineRow[]> {
  return readRange(views, { prefix: type === undefined ? [roomId] : [roomId, type] });
}

/** The state of a room now, of its members only some. */
export async function listStateRowsWith(
  views: Views,
  roomId: RoomId,
  members: readonly UserId[],
): Promise<TimelineRow[]> {
  const before = await readRange(views, { prefix: [roomId], before: [roomId, MEMBER, ''] });
  const behind = await readRange(views, { prefix: [roomId], after: [roomId, MEMBER, LAST_KEY] });
  const keys = members.map((userId): StateKey => [MEMBER, userId]);
  const named = await findStateRows(views, roomId, keys);
  return [...before, ...behind, ...named.filter((row) => row !== undefined)];
}

/** Whether a state event is the one that holds its key now. */
export async function isInForce(views: Pick<Views, 'get'>, roomId: RoomId, { header }: TimelineRow): Promise<boolean> {
  const text = await ROOM_STATE.get(views, [roomId, header.type, header.stateKey ?? '']);
  return text !== undefined && rowHeaderOf(text).eventId === header.eventId;
}

async function readRange(views: Views, range: Parameters<typeof ROOM_STATE.pages>[1]): Promise<TimelineRow[]> {
  const rows: TimelineRow[] = [];
  for await (const page of ROOM_STATE.pages(views, range)) {
    for (const { value } of page) rows.push(parseRow(value));
  }
  return rows;
}
