import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import type { OwnRows, Projector } from '#projections/projector';
import type { RedactedFact, RoomFactReader } from './room-fact-reader.js';

/** A row of `relations`: [room, parent, position of the child]. */
export type RelationRow = readonly [child: EventId, relType: string, type: string];

/** A row of `relation-parents`: [child]. */
type ParentRow = readonly [roomId: RoomId, parent: EventId, position: Position];

/**
 * `relations`, `relation-parents`: which events say that they relate to which: client-server API, "Forming relationships
 * between events". A redacted event relates to nothing any more.
 */
export function relationsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'relations',
    version: 1,
    collections: ['relations', 'relation-parents'],
    handles: (type) => type === 'pdu-accepted' || type === 'pdu-redacted',
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return forget(reader.redacted(fact), rows);
      // PERF: most events relate to nothing, and a PDU's canonical JSON escapes no letters: no need to parse those.
      if (fact.data.includes('"m.relates_to"')) relate(reader, fact, rows);
      return undefined;
    },
  };
}

function relate(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): void {
  const { roomId, content, data } = reader.accepted(fact);
  const relation = content['m.relates_to'];
  if (!isJsonObject(relation)) return;
  const { event_id: parent, rel_type: relType } = relation;
  if (typeof parent !== 'string' || typeof relType !== 'string' || !fits(parent)) return;
  const row: RelationRow = [data.event_id, relType, data.pdu['type'] as string];
  const back: ParentRow = [roomId, parent as EventId, fact.position];
  rows.put('relations', [roomId, parent, fact.position], JSON.stringify(row));
  rows.put('relation-parents', [data.event_id], JSON.stringify(back));
}

async function forget({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  const child = data.event_id;
  const text = await rows.get('relation-parents', [child]);
  const place = text === undefined ? undefined : (JSON.parse(text) as ParentRow);
  if (place === undefined || place[0] !== roomId) return;
  rows.delete('relations', [...place]);
  rows.delete('relation-parents', [child]);
}

/** What is longer is the id of no event, and would be too long for a key. */
function fits(id: string): boolean {
  return Buffer.byteLength(id) <= 255;
}
