import type { EventId } from '#kernel/ids';
import { relationOf, THREAD } from '#protocol/relation';
import { contentOfRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findRowInRoom } from '#rooms/reading/event-rows';
import type { RoomReader } from '#rooms/reading/room-reader';
import { asServed } from '#rooms/reading/withhold';

/** "a maximum of 3 hops is recommended to cover indirect relationships" (client-server API, "Threaded read receipts"). */
const MAX_HOPS = 3;

/**
 * Whether a receipt on an event may be said to be of a thread: of the thread that the event is in, directly or by what it
 * relates to, or of the thread whose root it is or relates to; `main` for an event that is in no thread. What the reader may not see,
 * or is served redacted to them, relates to nothing for them.
 */
export async function isInThread(room: RoomReader, eventId: EventId, thread: EventId | 'main'): Promise<boolean> {
  let at: EventId | undefined = eventId;
  for (let hop = 0; at !== undefined && hop <= MAX_HOPS; hop++) {
    if (at === thread) return true;
    const row: TimelineRow | undefined = await findRowInRoom(room.views, room.roomId, at);
    const isSeen = row !== undefined && (await room.over([row])).maySee(row.header);
    const relation = isSeen ? relationOf(contentOfRow(await asServed(room, row))) : undefined;
    if (relation?.relType === THREAD) return relation.parent === thread;
    at = relation?.parent;
  }
  return thread === 'main';
}
