import type { EventId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { referenceHash } from '#protocol/signing/reference-hash';

/**
 * How a room version writes a list of event ids: in versions 1 and 2 each together with the hash of its event, which `events`
 * must have.
 */
export function referenceWriter(
  version: RoomVersion,
  events: ReadonlyMap<EventId, RoomEvent>,
): (ids: readonly EventId[]) => JsonValue {
  if (version.references === 'ids') return (ids) => ids;
  return (ids) =>
    ids.map((eventId) => {
      const event = events.get(eventId);
      if (event === undefined) throw new Error(`no hash is known of ${eventId}`);
      return [eventId, { sha256: referenceHash(event.pdu, version).toString('base64').replace(/=+$/, '') }];
    });
}
