import type { Projector } from '#projections/projector';
import { GRAPH_COLLECTIONS } from '../graph/graph-rows.js';
import { isOfGraph, projectGraph } from '../graph/project-graph.js';

/** `graph`: by room and event id what became of an event, the state before and after it, and what redacts it. */
export const graphProjector: Projector = Object.freeze({
  name: 'graph',
  version: 6,
  collections: GRAPH_COLLECTIONS,
  handles: isOfGraph,
  project: projectGraph,
});
