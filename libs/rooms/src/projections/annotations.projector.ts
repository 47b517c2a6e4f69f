import { hash } from 'node:crypto';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { OwnRows, Projector } from '#projections/projector';
import { ANNOTATION, relationOf } from '#protocol/relation';
import type { RedactedFact, RoomFactReader } from './room-fact-reader.js';

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

/** The key of an annotation's row in `annotations`: all that makes it the same, hashed to a fixed length. */
export function annotationRowKey(roomId: RoomId, { sender, type, parent, key }: Annotation): readonly string[] {
  return [roomId, hash('sha256', JSON.stringify([sender, type, parent, key]), 'base64url')];
}

/** The key of the row that leads from an annotation to its own: hashes begin with no `$`, as the ids of events do. */
function backKey(roomId: RoomId, eventId: EventId): readonly string[] {
  return [roomId, `$ ${eventId}`];
}

/**
 * `annotations`: the last event by which a user annotated an event with a key, and the way back from each to that. A redacted
 * one is gone, as if it had never been: the log knows no more what it said.
 */
export function annotationsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'annotations',
    version: 2,
    collections: ['annotations'],
    handles: (type) => type === 'pdu-accepted' || type === 'pdu-redacted',
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return forget(reader.redacted(fact), rows);
      // PERF: as for relations: most events annotate nothing, and canonical JSON escapes no letters.
      if (!fact.data.includes('"m.annotation"')) return undefined;
      const { roomId, content, data } = reader.accepted(fact);
      const annotation = annotationOf(data.pdu['sender'] as string, data.pdu['type'] as string, content);
      if (annotation === undefined) return undefined;
      const key = annotationRowKey(roomId, annotation);
      rows.put('annotations', [...key], data.event_id);
      rows.put('annotations', [...backKey(roomId, data.event_id)], key[1]!);
      return undefined;
    },
  };
}

async function forget({ roomId, data: { event_id: eventId } }: RedactedFact, rows: OwnRows): Promise<void> {
  const back = [...backKey(roomId, eventId)];
  const name = await rows.get('annotations', back);
  if (name === undefined) return;
  rows.delete('annotations', back);
  // It may have been said again since.
  if ((await rows.get('annotations', [roomId, name])) === eventId) rows.delete('annotations', [roomId, name]);
}
