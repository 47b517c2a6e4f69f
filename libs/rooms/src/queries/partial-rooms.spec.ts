import { beforeEach, expect, it } from 'vitest';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { RoomIsPartial } from '../partial-room.js';
import { PARTIAL_ROOMS } from '../projections/partial-rooms.projector.js';
import { findPartial, untilWhole, whenWhole } from './partial-rooms.js';

const ROOM = '!r:a.example' as RoomId;

let store: MemoryReadModels;
/** The views, and up to where what was waited for of them. */
let views: Pick<Views, 'get' | 'whenProcessed'>;
let waitedFor: [Position, readonly string[]][];
let reads: number;
beforeEach(() => {
  [store, reads, waitedFor] = [new MemoryReadModels(), 0, []];
  views = {
    get: (collection, key) => store.get(collection, key),
    whenProcessed: async (position, collections = []) => void waitedFor.push([position, collections]),
  };
});

/** Only a part of the room is here, or by now the rest has come. */
async function note(isFilled: boolean): Promise<void> {
  const told = { event_id: '$join' as EventId, via: 'b.example' as ServerName, servers: [], since: positionOf(1) };
  const value = PARTIAL_ROOMS.codec.encode(isFilled ? { ...told, until: positionOf(2) } : told);
  await store.write([{ collection: PARTIAL_ROOMS.name, key: [ROOM], value }]);
}

const read = async (): Promise<number> => ++reads;

it('who needs all of a room waits for the rest of it, and for nothing once that is here', async () => {
  await untilWhole(views, ROOM);
  await note(false);
  let isOver = false;
  const waiting = untilWhole(views, ROOM).then(() => (isOver = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  expect(waitedFor).toEqual([]);
  await note(true);
  await waiting;
});

it('who needs all of a room waits for the views that have it, which may be behind the one that says so', async () => {
  await note(true);
  await untilWhole(views, ROOM);
  expect(waitedFor).toEqual([[positionOf(2), expect.arrayContaining(['room-state', 'room-members', 'graph-events'])]]);
});

it('what a part cannot decide is done once the rest has come, and what else fails is not done again', async () => {
  await note(false);
  const decide = async (): Promise<number> => {
    await read();
    if ((await findPartial(views, ROOM)) !== undefined) throw new RoomIsPartial();
    return reads;
  };
  const deciding = whenWhole(views, ROOM, decide);
  deciding.catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  await note(true);
  expect(await deciding).toBe(2);
  const fail = async (): Promise<never> => {
    await read();
    throw new MatrixError('M_FORBIDDEN');
  };
  await expect(whenWhole(views, ROOM, fail)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  expect(reads).toBe(3);
});
