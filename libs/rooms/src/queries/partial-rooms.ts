import { setTimeout as delay } from 'node:timers/promises';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { RoomIsPartial } from '../partial-room.js';
import { PARTIAL_ROOMS, type PartialRoomRow } from '../projections/partial-rooms.projector.js';

/** How long a client waits for the members of a room, and how often it is looked whether they are here. */
const WITHIN_MS = 30_000;
const LOOKS_EVERY_MS = 250;

/** What is known of a room of which only a part of the state is here; undefined of any other. As of the views. */
export async function findPartial(views: Pick<Views, 'get'>, roomId: RoomId): Promise<PartialRoomRow | undefined> {
  const row = await PARTIAL_ROOMS.get(views, [roomId]);
  return row?.until === undefined ? row : undefined;
}

/** Whether the rest of a room came between two positions (the first left out): who was told of it before was told of a part. */
export async function wasFilled(
  views: Pick<Views, 'get'>,
  roomId: RoomId,
  after: Position,
  upTo: Position,
): Promise<boolean> {
  const until = (await PARTIAL_ROOMS.get(views, [roomId]))?.until;
  return until !== undefined && until > after && until <= upTo;
}

/** Does what may need all of a room: where it does, once more when that is here. Throws as `untilWhole`. */
export async function whenWhole<T>(views: Pick<Views, 'get'>, roomId: RoomId, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof RoomIsPartial)) throw error;
  }
  await untilWhole(views, roomId);
  return task();
}

/** What is read of a room once all of it is here, for who may read it at all: that is found out first. Throws as `untilWhole`. */
export async function readWhole<T>(views: Pick<Views, 'get'>, roomId: RoomId, read: () => Promise<T>): Promise<T> {
  const part = await read();
  if ((await findPartial(views, roomId)) === undefined) return part;
  await untilWhole(views, roomId);
  return read();
}

/** Settles once all of a room is here, which mostly it is. Throws RoomIsPartial where that takes longer than a client waits. */
export async function untilWhole(views: Pick<Views, 'get'>, roomId: RoomId): Promise<void> {
  for (let waited = 0; (await findPartial(views, roomId)) !== undefined; waited += LOOKS_EVERY_MS) {
    if (waited >= WITHIN_MS) throw new RoomIsPartial();
    await delay(LOOKS_EVERY_MS, undefined, { ref: false });
  }
}
