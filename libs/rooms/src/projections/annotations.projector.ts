import { hash } from 'node:crypto';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Projector } from '#projections/projector';
import { ANNOTATION, relationOf } from '#protocol/relation';
import type { RoomFactReader } from './room-fact-reader.js';

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

/**
 * `annotations`: the last event by which a user annotated an event with a key. A redacted one stays: who asks looks whether
 * it still says so.
 */
export function annotationsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'annotations',
    version: 1,
    collections: ['annotations'],
    handles: (type) => type === 'pdu-accepted',
    project(fact, rows) {
      // PERF: as for relations: most events annotate nothing, and canonical JSON escapes no letters.
      if (!fact.data.includes('"m.annotation"')) return undefined;
      const { roomId, content, data } = reader.accepted(fact);
      const annotation = annotationOf(data.pdu['sender'] as string, data.pdu['type'] as string, content);
      if (annotation !== undefined) rows.put('annotations', [...annotationRowKey(roomId, annotation)], data.event_id);
      return undefined;
    },
  };
}
