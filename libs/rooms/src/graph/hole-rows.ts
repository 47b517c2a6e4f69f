import type { EventId, RoomId } from '#kernel/ids';
import { asMark, Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import { isAfterGap } from '../facts/fact-text.js';
import { referencedIds } from '../facts/pdu-fields.js';
import { type PduAccepted, roomIdOfStream } from '../facts/room-facts.js';
import { findGraphEvent } from './graph-rows.js';
import type { GraphFact } from './write-graph.js';

/** An accepted event stood on this one before its place was known: it is of the past, whenever it comes. The row stays when it has come. */
export const GRAPH_HOLES = new Collection<readonly [roomId: RoomId, eventId: EventId], true>('graph-holes', {
  key: ['room', 'event'],
  says: 'empty: an event stood on it before its place was known',
  codec: asMark,
});

/**
 * Writes down the parents of an accepted event that are not here. Applied again, also after later facts, it changes nothing. PERF: only
 * an event that stands on a state which was learnt can have such parents.
 */
export function writeHoles(fact: GraphFact, rows: OwnRows, parsed?: PduAccepted): void | Promise<void> {
  if (parsed === undefined ? !isAfterGap(fact.data) : typeof parsed.base !== 'object') return undefined;
  return writeMissingParents(fact, rows, parsed ?? (JSON.parse(fact.data) as PduAccepted));
}

async function writeMissingParents(fact: GraphFact, rows: OwnRows, { pdu }: PduAccepted): Promise<void> {
  const roomId = roomIdOfStream(fact.stream);
  for (const eventId of referencedIds(pdu['prev_events'])) {
    const known = await findGraphEvent(rows, roomId, eventId);
    if (known?.states === undefined) GRAPH_HOLES.put(rows, [roomId, eventId], true);
  }
}
