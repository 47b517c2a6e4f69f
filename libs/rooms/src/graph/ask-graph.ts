import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { GRAPH_COLLECTIONS } from './graph-collections.js';
import { type GraphState, RoomGraph } from './room-graph.js';

/**
 * A state of a room that the graph tells, asked for once the graph has come to a position; undefined where it is not known. Throws
 * ViewsUnavailable where the graph has not come so far: nobody may take for known what is not.
 */
export async function askGraph(
  views: Views,
  roomId: RoomId,
  position: Position,
  ask: (graph: RoomGraph) => Promise<GraphState | undefined>,
): Promise<GraphState | undefined> {
  await views.whenProcessed(position, GRAPH_COLLECTIONS);
  const state = await ask(new RoomGraph(views, roomId));
  if (state === undefined && views.position(GRAPH_COLLECTIONS) < position)
    throw new ViewsUnavailable('the graph of the rooms has not come so far');
  return state;
}
