import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { RoomGraph } from '../graph/room-graph.js';

/** The revision, in the room's stream, of the fact that decided an event; undefined where the room has not heard of it. */
export async function findEventRevision(
  views: Pick<Views, 'get' | 'scan'>,
  roomId: RoomId,
  eventId: EventId,
): Promise<number | undefined> {
  return (await new RoomGraph(views, roomId).findEvent(eventId))?.revision;
}
