import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { getEvent } from '#rooms/queries/get-event';
import { readerOf } from '#rooms/reading/reader';
import { asServed } from '#rooms/reading/withhold';
import type { Delay } from '../decide/known-delays.js';

/**
 * A delayed event as its user is told of it, as a JSON text: MSC4140, "Getting a single delayed event". The content of what was sent is
 * that which the room serves, for it may be redacted there, or over.
 */
export async function tellDelay(views: Views, requester: Requester, { event, end }: Delay): Promise<string> {
  const { delay_id, room_id, type, state_key, delay, running_since } = event;
  const told: JsonObject = {
    delay_id,
    room_id,
    type,
    state_key,
    delay,
    running_since,
    error: end?.error,
    event_id: end?.event_id,
    origin_server_ts: end?.ended_at,
  };
  const content = event.content ?? (await contentOfSent(views, requester, event.room_id, end));
  return `${JSON.stringify(told).slice(0, -1)},"content":${content}}`;
}

async function contentOfSent(
  views: Views,
  requester: Requester,
  roomId: Delay['event']['room_id'],
  end: Delay['end'],
): Promise<string> {
  if (end?.event_id === undefined) return '{}';
  try {
    const { room, row } = await getEvent(views, roomId, end.event_id, await readerOf(views, requester));
    return (await asServed(room, row)).content;
  } catch (error) {
    // It was forgotten with its room.
    if (error instanceof MatrixError) return '{}';
    throw error;
  }
}
