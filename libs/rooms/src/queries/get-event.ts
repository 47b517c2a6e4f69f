import type { EventId, RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { TimelineRow } from '../projections/timeline-row.js';
import type { Reader } from '../reading/reader.js';
import { findRoomReader, type RoomReader } from '../reading/room-reader.js';
import { findRowInRoom, listRoomsOfEvent } from '../reading/event-rows.js';

/** An event, and the reader before its room. */
export interface FoundEvent {
  readonly room: RoomReader;
  readonly row: TimelineRow;
}

/**
 * One event of a room, for a reader who is shown it. Throws M_NOT_FOUND otherwise, whatever the reason: the room does not
 * have it, or the reader may not see it, has forgotten the room, or ignores its sender: "the client will no longer receive
 * events sent by that user", by whatever way.
 */
export async function getEvent(views: Views, roomId: RoomId, eventId: EventId, reader: Reader): Promise<FoundEvent> {
  const found = await findShownEvent(views, roomId, eventId, reader);
  if (found === undefined) throw noSuchEvent();
  return found;
}

async function findShownEvent(
  views: Views,
  roomId: RoomId,
  eventId: EventId,
  reader: Reader,
): Promise<FoundEvent | undefined> {
  const found = await findVisibleEvent(views, roomId, eventId, reader);
  return found === undefined || found.room.ignores(found.row.header) ? undefined : found;
}

function noSuchEvent(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'No such event, or you may not see it');
}

/** As `getEvent`, where the request names no room (`GET /events/{eventId}`). */
export async function getEventAnywhere(views: Views, eventId: EventId, reader: Reader): Promise<FoundEvent> {
  for (const roomId of await listRoomsOfEvent(views, eventId)) {
    const found = await findShownEvent(views, roomId, eventId, reader);
    if (found !== undefined) return found;
  }
  throw noSuchEvent();
}

/** As `findVisibleEvent`, for who names an event of a room in order to do something with it. */
export function findEventFor(
  views: Views,
  roomId: RoomId,
  eventId: EventId,
  userId: UserId,
): Promise<FoundEvent | undefined> {
  return findVisibleEvent(views, roomId, eventId, { userId, ignored: NOBODY });
}

const NOBODY: ReadonlySet<UserId> = new Set();

/** An event that the reader may see, whoever sent it; undefined where there is none. */
export async function findVisibleEvent(
  views: Views,
  roomId: RoomId,
  eventId: EventId,
  reader: Reader,
): Promise<FoundEvent | undefined> {
  const row = await findRowInRoom(views, roomId, eventId);
  if (row === undefined) return undefined;
  const room = await (await findRoomReader(views, roomId, reader)).over([row]);
  return room.maySee(row.header) ? { room, row } : undefined;
}
