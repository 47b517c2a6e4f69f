import type { RoomEventFilter } from '#accounts/filters/filter';
import { roomTest } from '#accounts/filters/event-matcher';
import type { RoomId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { contentOfRow } from '#rooms/projections/timeline-row';
import { listUserRooms } from '#rooms/queries/list-user-rooms';
import { findStateRow } from '#rooms/queries/state-rows';
import { letIn } from '#rooms/reading/open-room';
import type { Reader } from '#rooms/reading/reader';
import { findRoomReader } from '#rooms/reading/room-reader';
import { roomMark, SHELVES, shelfOf } from '../projections/search-collections.js';
import type { RoomShelf } from './shelf-search.js';
import type { SearchEffort } from './search-effort.js';

/** Of a room that was upgraded again and again, so many before it are searched too. */
const MOST_PREDECESSORS = 20;
/** So many rooms are looked up at once. */
const AT_ONCE = 64;

/**
 * The shelves that somebody searches: those of the rooms that the filter names, and of the rooms that these took the place of, or else of
 * all rooms that the user is or was in and has not forgotten. None of a room that is encrypted: "The search will not include rooms that
 * are end to end encrypted". None of a room whose pages the reader may not read: what is there would show by how much was looked at. What of
 * the others they may see is not decided here.
 */
export async function searchedShelves(
  views: Views,
  reader: Reader,
  { rooms, not_rooms: notRooms }: RoomEventFilter,
  effort: SearchEffort,
): Promise<readonly RoomShelf[]> {
  const joined = new Set<RoomId>();
  const named =
    rooms === undefined
      ? await ownRooms(views, reader, joined, effort)
      : await withPredecessors(views, reader, rooms as RoomId[], effort);
  const isWanted = roomTest(undefined, notRooms);
  const shelves: RoomShelf[] = [];
  await forSome(named.filter(isWanted), effort, async (ids) => {
    const [news, past] = await Promise.all([readShelves(views, ids, false), readShelves(views, ids, true)]);
    const encrypted = new Set(news.filter(({ row }) => row.isEncrypted).map(({ roomId }) => roomId));
    const found = [...news, ...past].filter(({ roomId, row }) => row.next > 0 && !encrypted.has(roomId));
    shelves.push(...found.map((shelf) => ({ ...shelf, isIn: joined.has(shelf.roomId) })));
  });
  return shelves;
}

/** Does something for some rooms after others: nobody waits for those of somebody who is in thousands. */
async function forSome(
  rooms: readonly RoomId[],
  effort: SearchEffort,
  use: (some: readonly RoomId[]) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < rooms.length; i += AT_ONCE) {
    await use(rooms.slice(i, i + AT_ONCE));
    await effort.spend(0);
  }
}

/** `joined`: where those are noted in which the user is. */
async function ownRooms(views: Views, reader: Reader, joined: Set<RoomId>, effort: SearchEffort): Promise<RoomId[]> {
  const rooms = await listUserRooms(views, reader.userId);
  const others: RoomId[] = [];
  for (const [roomId, { membership, closed }] of rooms) {
    if (closed === true) continue;
    if (membership === 'join') joined.add(roomId);
    else others.push(roomId);
  }
  return [...joined, ...(await openTo(views, reader, others, effort))];
}

/** Those of some rooms that the reader may page through. */
async function openTo(
  views: Views,
  reader: Reader,
  rooms: readonly RoomId[],
  effort: SearchEffort,
): Promise<readonly RoomId[]> {
  const open: RoomId[] = [];
  await forSome(rooms, effort, async (some) => {
    const doors = await Promise.all(
      some.map(async (roomId) => letIn(await findRoomReader(views, roomId, reader), 'events')),
    );
    open.push(...some.filter((_, i) => doors[i] !== undefined));
  });
  return open;
}

async function withPredecessors(
  views: Views,
  reader: Reader,
  named: readonly RoomId[],
  effort: SearchEffort,
): Promise<RoomId[]> {
  let last = await openTo(views, reader, [...new Set(named)], effort);
  const rooms = new Set<RoomId>(last);
  for (let n = 0; n < MOST_PREDECESSORS && last.length > 0; n++) {
    const before: RoomId[] = [];
    await forSome(last, effort, async (some) => {
      const found = await Promise.all(some.map((roomId) => findPredecessor(views, roomId)));
      before.push(...found.filter((roomId) => roomId !== undefined));
    });
    const unknown = new Set(before.filter((roomId) => !rooms.has(roomId)));
    last = await openTo(views, reader, [...unknown], effort);
    for (const roomId of last) rooms.add(roomId);
  }
  return [...rooms];
}

/** The room that a room took the place of, as its create event says it. */
async function findPredecessor(views: Views, roomId: RoomId): Promise<RoomId | undefined> {
  const row = await findStateRow(views, roomId, 'm.room.create', '');
  const predecessor = row === undefined ? undefined : contentOfRow(row)['predecessor'];
  const before = isJsonObject(predecessor) ? predecessor['room_id'] : undefined;
  return typeof before === 'string' && before.startsWith('!') ? (before as RoomId) : undefined;
}

async function readShelves(
  views: Views,
  rooms: readonly RoomId[],
  isHistory: boolean,
): Promise<Omit<RoomShelf, 'isIn'>[]> {
  const rows = await SHELVES.getMany(
    views,
    rooms.map((roomId) => [shelfOf(roomMark(roomId), isHistory)] as const),
  );
  return rooms.flatMap((roomId, i) => {
    const row = rows[i];
    return row === undefined ? [] : [{ roomId, isHistory, row }];
  });
}
