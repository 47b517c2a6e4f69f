import { setTimeout as delay } from 'node:timers/promises';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { GRAPH_COLLECTIONS } from '../graph/graph-collections.js';
import { RoomIsPartial } from '../partial-room.js';
import { ROOM_MEMBERS } from '../projections/membership.projector.js';
import { PARTIAL_ROOMS, type PartialRoomRow } from '../projections/partial-rooms.projector.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { type OpenRoom, openRoom } from '../reading/open-room.js';
import type { Reader } from '../reading/reader.js';

/** How long a client waits for the members of a room, and how often it is looked whether they are here. */
const WITHIN_MS = 30_000;
const LOOKS_EVERY_MS = 250;
/** Where the state and the members of a room are read, now and at other moments. */
const WHOLE: readonly string[] = [ROOM_STATE.name, ROOM_MEMBERS.name, ...GRAPH_COLLECTIONS];

type Reading = Pick<Views, 'get' | 'whenProcessed'>;

/** What is known of a room of which only a part of the state is here; undefined of any other. As of the views. */
export async function findPartial(views: Pick<Views, 'get'>, roomId: RoomId): Promise<PartialRoomRow | undefined> {
  const row = await PARTIAL_ROOMS.get(views, [roomId]);
  return row?.until === undefined ? row : undefined;
}

/** Since when all of a room is here of which a part came; undefined where it is not, or came whole. As of the views. */
export async function findFilled(views: Pick<Views, 'get'>, roomId: RoomId): Promise<Position | undefined> {
  return (await PARTIAL_ROOMS.get(views, [roomId]))?.until;
}

/** Whether the rest of a room came between two positions (the first left out): who was told of it before was told of a part. */
export async function wasFilled(
  views: Pick<Views, 'get'>,
  roomId: RoomId,
  after: Position,
  upTo: Position,
): Promise<boolean> {
  const until = await findFilled(views, roomId);
  return until !== undefined && until > after && until <= upTo;
}

/** Does what may need all of a room: where it does, once more when that is here. Throws as `untilWhole`. */
export async function whenWhole<T>(views: Reading, roomId: RoomId, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof RoomIsPartial)) throw error;
  }
  await untilWhole(views, roomId);
  return task();
}

/**
 * As `openRoom`, once all of the room is here, for who reads its members or all of its state. Who has left it reads what was here then: more
 * may never come. Throws as `untilWhole`.
 */
export async function openWhole(views: Views, roomId: RoomId, reader: Reader): Promise<OpenRoom> {
  const open = await openRoom(views, roomId, reader);
  if (open.until !== undefined) return open;
  const isPartial = (await findPartial(views, roomId)) !== undefined;
  await untilWhole(views, roomId);
  return isPartial ? openRoom(views, roomId, reader) : open;
}

/**
 * Settles once all of a room is here, which mostly it is, and the views have it that are read for all of it: they may be behind the one that
 * says so. Throws RoomIsPartial where that takes longer than a client waits.
 */
export async function untilWhole(views: Reading, roomId: RoomId): Promise<void> {
  for (let waited = 0; ; waited += LOOKS_EVERY_MS) {
    const row = await PARTIAL_ROOMS.get(views, [roomId]);
    if (row === undefined) return;
    if (row.until !== undefined) return views.whenProcessed(row.until, WHOLE);
    if (waited >= WITHIN_MS) throw new RoomIsPartial();
    await delay(LOOKS_EVERY_MS, undefined, { ref: false });
  }
}

/**
 * Whether all of a room is here and the graph has it. Where it has not, the states that it tells are parts still, and nobody else may take
 * them for whole.
 */
export async function isWholeInGraph(views: Views, roomId: RoomId): Promise<boolean> {
  const row = await PARTIAL_ROOMS.get(views, [roomId]);
  if (row?.until === undefined) return row === undefined;
  await views.whenProcessed(row.until, GRAPH_COLLECTIONS);
  return views.position(GRAPH_COLLECTIONS) >= row.until;
}
