import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { shortHash } from '#kernel/short-hash';
import { asMark, Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import { pduTextOf } from '#rooms/facts/fact-text';
import { type EventKeyPart, eventKeyPart } from '#rooms/projections/event-place';
import { purgeOf, takeAwayWith } from '#rooms/projections/purged-rows';
import type { RoomFactReader } from '#rooms/projections/room-fact-reader';
import type { MediaId } from '../media-id.js';
import { mediaIn, namesMedia } from '../media-in-text.js';

type RoomMark = string & { readonly __brand: 'RoomMark' };

/** What events show of the media that were uploaded here, as far as a server can read it. */
export const SHOWN_MEDIA = new Collection<
  readonly [server: ServerName, mediaId: MediaId, room: RoomMark, event: EventKeyPart],
  true
>('shown-media', {
  key: ['server', 'media id', 'hash of the room', 'hash of the event'],
  says: 'that the event names the medium',
  codec: asMark,
});

export const EVENT_MEDIA = new Collection<
  readonly [room: RoomMark, event: EventKeyPart, server: ServerName, mediaId: MediaId],
  true
>('event-media', {
  key: ['hash of the room', 'hash of the event', 'server', 'media id'],
  says: 'the same, by the event',
  codec: asMark,
});

/** Notes which media of this server an event names, and each event of the state that came with it; of all where nobody knows what it is called. */
export function noteShown(
  fact: RecordedFact,
  reader: RoomFactReader,
  ours: ServerName | undefined,
  rows: OwnRows,
): void {
  const { roomId, data } = reader.accepted(fact);
  const texts = Object.entries(data.state_pdus ?? {});
  // What is redacted as it comes never showed anything.
  if (data.redacted_by === undefined) texts.push([data.event_id, pduTextOf(fact.data)]);
  for (const [eventId, text] of texts) {
    const [room, event] = keyOf(roomId, eventId as EventId);
    for (const media of mediaIn(text)) {
      if (ours !== undefined && media.server !== ours) continue;
      SHOWN_MEDIA.put(rows, [media.server, media.mediaId, room, event], true);
      EVENT_MEDIA.put(rows, [room, event, media.server, media.mediaId], true);
    }
  }
}

/** An event was redacted: it shows nothing any more. */
export async function forgetShown(fact: RecordedFact, reader: RoomFactReader, rows: OwnRows): Promise<void> {
  const { roomId, data } = reader.redacted(fact);
  const [room, event] = keyOf(roomId, data.event_id);
  await EVENT_MEDIA.forEach(rows, { prefix: [room, event] }, ({ key }) => {
    const [, , server, mediaId] = key;
    EVENT_MEDIA.delete(rows, key);
    SHOWN_MEDIA.delete(rows, [server, mediaId, room, event]);
  });
}

/** Nothing of a room is kept: it shows nothing. */
export function purgeShown(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const purged = purgeOf(fact);
  const room = shortHash(purged.roomId) as RoomMark;
  return takeAwayWith(rows, purged, EVENT_MEDIA, { prefix: [room] }, ({ key: [, event, server, mediaId] }) =>
    SHOWN_MEDIA.delete(rows, [server, mediaId, room, event]),
  );
}

/** Whether a fact of a room may name media. PERF: most do not, and need not be parsed. */
export function mayShow({ type, data }: RecordedFact): boolean {
  return (type === 'pdu-accepted' || type === 'state-taken') && namesMedia(data);
}

function keyOf(roomId: RoomId, eventId: EventId): readonly [RoomMark, EventKeyPart] {
  return [shortHash(roomId) as RoomMark, eventKeyPart(eventId)];
}
