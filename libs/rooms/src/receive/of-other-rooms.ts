import type { EventId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { Pdu, RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { type KnownEvent, type KnownRoom, knownOutlier } from './known-room.js';

/** What an event names as its auth events, as far as it is here: also what proves to be of another room, by which the event is refused. */
export function withOtherRooms(
  known: ReadonlyMap<EventId, KnownEvent>,
  { authEvents }: RoomEvent,
  ofOtherRooms: readonly Pdu[],
  { version, roomId }: Pick<KnownRoom, 'version' | 'roomId'>,
): ReadonlyMap<EventId, KnownEvent> {
  if (ofOtherRooms.length === 0) return known;
  const all = new Map(known);
  for (const pdu of ofOtherRooms) {
    const event = readForeign(pdu, version);
    const isNamed = event !== undefined && event.roomId !== roomId && authEvents.includes(event.eventId);
    if (isNamed && !known.has(event.eventId)) all.set(event.eventId, knownOutlier(event, false));
  }
  return all;
}

/**
 * An event whose id is the hash of what it says, its room too: there is no other one of that id. undefined where the id proves nothing, or
 * it is none.
 */
function readForeign(pdu: Pdu, version: RoomVersion): RoomEvent | undefined {
  if (version.eventIds === 'opaque') return undefined;
  try {
    return parseRoomEvent(pdu, version);
  } catch (error) {
    if (error instanceof MatrixError) return undefined;
    throw error;
  }
}
