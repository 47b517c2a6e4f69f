import type { Projector } from '#projections/projector';
import { GRAPH_COLLECTIONS } from '../graph/graph-rows.js';
import { concernsGraph, writeGraph } from '../graph/write-graph.js';

/** `graph`: by room and event id what became of an event, and the state before and after it. */
export const graphProjector: Projector = Object.freeze({
  name: 'graph',
  version: 2,
  collections: GRAPH_COLLECTIONS,
  handles: concernsGraph,
  project: writeGraph,
});
