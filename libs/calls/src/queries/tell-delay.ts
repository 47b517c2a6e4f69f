import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { getEvent } from '#rooms/queries/get-event';
import { readerOf } from '#rooms/reading/reader';
import type { Delay } from '../decide/known-delays.js';

/**
 * A delayed event as its user is told of it, as a JSON text: MSC4140, "Getting a single delayed event". The content of what was sent is
 * that which the room has, for it may be redacted there.
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
    return (await getEvent(views, roomId, end.event_id, await readerOf(views, requester))).row.content;
  } catch (error) {
    // It was forgotten with its room.
    if (error instanceof MatrixError) return '{}';
    throw error;
  }
}
