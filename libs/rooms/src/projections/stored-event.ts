import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { RoomEvent } from '#protocol/room-event';
import { contentOf } from '../facts/pdu-fields.js';
import { clientEventOf } from './client-event.js';
import type { TimelineRow } from './timeline-row.js';

/** An event row in the form that the rules (of power levels, of push) take: the links to other events are not in it. */
export function eventOfStoredRow(roomId: RoomId, row: TimelineRow): RoomEvent {
  const { header } = row;
  const pdu = JSON.parse(clientEventOf(row, roomId)) as JsonObject;
  return {
    eventId: header.eventId,
    roomId,
    type: header.type,
    sender: header.sender,
    stateKey: header.stateKey,
    content: contentOf(pdu),
    originServerTs: header.sentAt,
    depth: header.depth,
    prevEvents: [],
    authEvents: [],
    redacts: undefined,
    pdu,
  };
}
