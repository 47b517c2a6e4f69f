import { owning } from '#projections/collection';
import { GRAPH_STATE } from './bucket-rows.js';
import { GRAPH_COPIES } from './copy-rows.js';
import { GRAPH_EVENTS, GRAPH_LEARNT } from './graph-rows.js';
import { GRAPH_HOLES } from './hole-rows.js';
import { GRAPH_NEWEST } from './newest-rows.js';
import { GRAPH_REDACTED, GRAPH_REDACTIONS } from './redaction-rows.js';
import { GRAPH_CURRENT } from './write-current.js';
import { GRAPH_LINES } from './write-state.js';

/** What the projector `graph` says of its collections. */
export const OF_GRAPH = owning(
  GRAPH_EVENTS,
  GRAPH_CURRENT,
  GRAPH_LINES,
  GRAPH_STATE,
  GRAPH_NEWEST,
  GRAPH_LEARNT,
  GRAPH_HOLES,
  GRAPH_REDACTIONS,
  GRAPH_REDACTED,
  GRAPH_COPIES,
);

/** Their names. */
export const GRAPH_COLLECTIONS = OF_GRAPH.collections;
