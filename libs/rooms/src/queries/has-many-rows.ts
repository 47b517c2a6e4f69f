import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { GRAPH_STATE } from '../graph/bucket-rows.js';
import { GRAPH_COPIES } from '../graph/copy-rows.js';
import { GRAPH_HOLES } from '../graph/hole-rows.js';
import { ANNOTATIONS } from '../projections/annotations.projector.js';
import { MEMBERSHIP_LOG } from '../projections/membership-log.js';
import { RELATION_PARENTS, THREAD_EVENTS } from '../projections/relations.projector.js';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { HISTORY, TIMELINE } from '../projections/timeline-collections.js';

/** Of each projector that may have many rows of a room one collection, but where another projector has as many. */
const LARGE = [
  TIMELINE,
  HISTORY,
  ROOM_STATE,
  MEMBERSHIP_LOG,
  GRAPH_STATE,
  GRAPH_COPIES,
  GRAPH_HOLES,
  RELATION_PARENTS,
  THREAD_EVENTS,
  ANNOTATIONS,
].map(({ name }) => name);

/** Whether some collection of the views has as many rows of a room. */
export async function hasManyRows(views: Pick<Views, 'scan'>, roomId: RoomId, many: number): Promise<boolean> {
  for (const name of LARGE) {
    if ((await views.scan(name, { prefix: [roomId], limit: many })).length === many) return true;
  }
  return false;
}
