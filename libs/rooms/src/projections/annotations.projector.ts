import { hash } from 'node:crypto';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { ANNOTATION, relationOf } from '#protocol/relation';
import type { RedactedFact, RoomFactReader } from './room-fact-reader.js';
import { purgeByRoom } from './purged-rows.js';

/** An annotation of an event, as far as two of them are the same: client-server API, "Avoiding duplicate annotations". */
export interface Annotation {
  readonly sender: string;
  readonly type: string;
  readonly parent: EventId;
  readonly key: string;
}

/** The annotation that an event of this content is; undefined for all others. */
export function annotationOf(sender: string, type: string, content: JsonObject): Annotation | undefined {
  const { relType, parent, key } = relationOf(content) ?? {};
  if (relType !== ANNOTATION || parent === undefined || key === undefined) return undefined;
  return { sender, type, parent, key };
}

export type AnnotationKey = readonly [roomId: RoomId, name: string];

/**
 * The last event by which a user annotated an event with a key, and the way back from each such event to that: the name of its row. A
 * redacted one is gone, as if it had never been: the log knows no more what it said.
 */
export const ANNOTATIONS = new Collection<AnnotationKey, string>('annotations', {
  key: ['room', 'hash of sender, type, event and key; or `$ ` and the event id'],
  says: 'event id; or the hash',
  codec: asText(),
});

/** The key of an annotation: all that makes it the same, hashed to a fixed length. */
export function annotationRowKey(roomId: RoomId, { sender, type, parent, key }: Annotation): AnnotationKey {
  return [roomId, hash('sha256', JSON.stringify([sender, type, parent, key]), 'base64url')];
}

/** The key of the row that leads from an annotation to its own: hashes begin with no `$`, as the ids of events do. */
function backKey(roomId: RoomId, eventId: EventId): AnnotationKey {
  return [roomId, `$ ${eventId}`];
}

/** Which user annotated which event with which key. */
export function annotationsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'annotations',
    version: 3,
    ...owning(ANNOTATIONS),
    handles: (type) => type === 'pdu-accepted' || type === 'pdu-redacted' || type === 'room-purged',
    project(fact, rows) {
      if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [ANNOTATIONS]);
      if (fact.type === 'pdu-redacted') return forget(reader.redacted(fact), rows);
      const accepted = reader.findRelating(fact);
      if (accepted === undefined) return undefined;
      const { roomId, content, data } = accepted;
      const annotation = annotationOf(data.pdu['sender'] as string, data.pdu['type'] as string, content);
      if (annotation === undefined) return undefined;
      const key = annotationRowKey(roomId, annotation);
      ANNOTATIONS.put(rows, key, data.event_id);
      ANNOTATIONS.put(rows, backKey(roomId, data.event_id), key[1]);
      return undefined;
    },
  };
}

async function forget({ roomId, data: { event_id: eventId } }: RedactedFact, rows: OwnRows): Promise<void> {
  const back = backKey(roomId, eventId);
  const name = await ANNOTATIONS.get(rows, back);
  if (name === undefined) return;
  ANNOTATIONS.delete(rows, back);
  // It may have been said again since.
  if ((await ANNOTATIONS.get(rows, [roomId, name])) === eventId) ANNOTATIONS.delete(rows, [roomId, name]);
}
