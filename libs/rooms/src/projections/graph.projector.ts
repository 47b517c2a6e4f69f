import type { Projector } from '#projections/projector';
import { OF_GRAPH } from '../graph/graph-collections.js';
import { isOfGraph, projectGraph } from '../graph/project-graph.js';

/** By room and event id what became of an event, the state before and after it, and what redacts it. */
export const graphProjector: Projector = Object.freeze({
  name: 'graph',
  version: 6,
  ...OF_GRAPH,
  handles: isOfGraph,
  project: projectGraph,
});
