import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import type { RoomEvent } from '#protocol/room-event';
import { contentOf } from '../facts/pdu-fields.js';
import { clientEventOf } from '../projections/client-event.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findStateRow } from './state-rows.js';

/**
 * The current state events of some types with an empty state key, as far as the rules of power levels look at them: not for
 * deciding what goes into a room, which is the room's worker's.
 */
export async function findStateEvents(views: Views, roomId: RoomId, types: readonly string[]): Promise<RoomEvent[]> {
  const rows = await Promise.all(types.map((type) => findStateRow(views, roomId, type, '')));
  return rows.flatMap((row) => (row === undefined ? [] : [eventOfStoredRow(roomId, row)]));
}

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
