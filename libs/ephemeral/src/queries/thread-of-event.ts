import type { EventId, RoomId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import type { EventPlace } from '#rooms/projections/timeline.projector';
import { contentOfRow, parseRow } from '#rooms/projections/timeline-row';

/** "a maximum of 3 hops is recommended to cover indirect relationships" (client-server API, "Threaded read receipts"). */
const MAX_HOPS = 3;

/** The content of an event of this room; undefined for any other. */
async function findContent(
  views: Pick<Views, 'get'>,
  roomId: RoomId,
  eventId: EventId,
): Promise<JsonObject | undefined> {
  const text = await views.get('events', [eventId]);
  if (text === undefined) return undefined;
  const place = JSON.parse(text) as EventPlace;
  if (place[0] !== roomId) return undefined;
  const row = await views.get('timeline', [roomId, place[1]]);
  if (row === undefined) return undefined;
  return contentOfRow(parseRow(row));
}

/**
 * Whether a receipt on an event may be said to be of a thread: of the thread that the event is in, directly or by what it
 * relates to, or of the thread whose root it is or relates to; `main` for an event that is in no thread.
 */
export async function isInThread(
  views: Pick<Views, 'get'>,
  roomId: RoomId,
  eventId: EventId,
  thread: EventId | 'main',
): Promise<boolean> {
  let at: EventId | undefined = eventId;
  for (let hop = 0; at !== undefined && hop <= MAX_HOPS; hop++) {
    if (at === thread) return true;
    const content: JsonObject | undefined = await findContent(views, roomId, at);
    const relation: JsonObject['string'] = content?.['m.relates_to'];
    const related = isJsonObject(relation) ? relation['event_id'] : undefined;
    if (isJsonObject(relation) && relation['rel_type'] === 'm.thread') return related === thread;
    at = typeof related === 'string' ? (related as EventId) : undefined;
  }
  return thread === 'main';
}
