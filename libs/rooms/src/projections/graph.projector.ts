import type { Projector } from '#projections/projector';
import { OF_GRAPH } from '../graph/graph-collections.js';
import { isOfGraph, projectGraph } from '../graph/project-graph.js';
import type { RoomFactReader } from './room-fact-reader.js';

/** By room and event id what became of an event, the state before and after it, and what redacts it. */
export function graphProjector(reader: RoomFactReader): Projector {
  return {
    name: 'graph',
    version: 9,
    ...OF_GRAPH,
    handles: isOfGraph,
    project: (fact, rows) =>
      projectGraph(fact, rows, fact.type === 'pdu-accepted' ? reader.accepted(fact).data : undefined),
  };
}
