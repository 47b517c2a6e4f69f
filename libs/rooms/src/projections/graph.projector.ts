import type { RecordedFact } from '#event-store/event-store';
import type { OwnRows, Projector } from '#projections/projector';
import { OF_GRAPH } from '../graph/graph-collections.js';
import { forgetGraphEvent, GRAPH_EVENTS } from '../graph/graph-rows.js';
import { isOfGraph, projectGraph } from '../graph/project-graph.js';
import { purgeByRoom, purgeOf } from './purged-rows.js';
import type { RoomFactReader } from './room-fact-reader.js';

/** By room and event id what became of an event, the state before and after it, and what redacts it. */
export function graphProjector(reader: RoomFactReader): Projector {
  return {
    name: 'graph',
    version: 10,
    ...OF_GRAPH,
    handles: (type) => isOfGraph(type) || type === 'room-purged',
    project: (fact, rows) =>
      fact.type === 'room-purged'
        ? purge(fact, rows)
        : projectGraph(fact, rows, fact.type === 'pdu-accepted' ? reader.accepted(fact).data : undefined),
  };
}

async function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, events } = purgeOf(fact);
  for (const eventId of events) forgetGraphEvent(rows, roomId, eventId);
  await purgeByRoom(fact, rows, OF_ROOM);
}

/** All but that whose rows stand by hashes: the facts of a purge name the events. */
const OF_ROOM = OF_GRAPH.declared.filter(({ name }) => name !== GRAPH_EVENTS.name);
