import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { RoomGraph } from '../graph/room-graph.js';

/** The revisions, in the room's stream, of all facts that hold the PDU of an event; none where the room has not heard of it. */
export function listFactsOfEvent(
  views: Pick<Views, 'get' | 'scan'>,
  roomId: RoomId,
  eventId: EventId,
): Promise<readonly number[]> {
  return new RoomGraph(views, roomId).listFacts(eventId);
}
