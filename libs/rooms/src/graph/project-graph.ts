import type { OwnRows } from '#projections/projector';
import type { PduAccepted } from '../facts/room-facts.js';
import { writeHoles } from './hole-rows.js';
import { writeRedacted, writeRedaction } from './redaction-rows.js';
import { type GraphFact, writeGraph } from './write-graph.js';

const OF_GRAPH: ReadonlySet<string> = new Set([
  'pdu-accepted',
  'pdu-soft-failed',
  'pdu-rejected',
  'outlier-stored',
  'state-learnt',
  'state-taken',
  'join-filled',
  'change-told',
  'pdu-redacted',
]);

/** Whether this kind of fact says something of the events of a room and how they hang together. */
export function isOfGraph(type: string): boolean {
  return OF_GRAPH.has(type);
}

/**
 * Writes down all that a fact tells of its room's events. Applied again, also after later facts, it changes nothing. Throws where
 * the fact stands on a state that no fact before it told. `parsed`: its data, where somebody has parsed it.
 */
export function projectGraph(fact: GraphFact, rows: OwnRows, parsed?: PduAccepted): void | Promise<void> {
  if (fact.type === 'pdu-redacted') return writeRedacted(fact, rows);
  const besides = fact.type === 'pdu-accepted' ? writeBesides(fact, rows, parsed) : undefined;
  return besides === undefined ? writeGraph(fact, rows, parsed) : besides.then(() => writeGraph(fact, rows, parsed));
}

function writeBesides(fact: GraphFact, rows: OwnRows, parsed: PduAccepted | undefined): void | Promise<void> {
  writeRedaction(fact, rows, parsed);
  return writeHoles(fact, rows, parsed);
}
