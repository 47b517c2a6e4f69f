import type { RoomId } from '#kernel/ids';
import { STICKY } from '#protocol/stickiness';
import { quote, type TimelineRow } from './timeline-row.js';

/**
 * The event in the form of the client-server API ("ClientEventWithoutRoomID", with `room_id` where it is given), without
 * `unsigned`. Content first. JSON text.
 */
export function clientEventOf({ header, content }: TimelineRow, roomId?: RoomId): string {
  const { stateKey, redacts, sticky } = header;
  return (
    `{"content":${content},"event_id":${quote(header.eventId)},` +
    (sticky === undefined ? '' : `"${STICKY}":{"duration_ms":${sticky.durationMs}},`) +
    `"origin_server_ts":${header.sentAt},` +
    (redacts === undefined ? '' : `"redacts":${quote(redacts)},`) +
    (roomId === undefined ? '' : `"room_id":${quote(roomId)},`) +
    `"sender":${quote(header.sender)},` +
    (stateKey === undefined ? '' : `"state_key":${quote(stateKey)},`) +
    `"type":${quote(header.type)}}`
  );
}
