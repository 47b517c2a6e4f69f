import type { EventId, RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { relationOf, THREAD } from '#protocol/relation';
import { type ParentRow, RELATION_PARENTS } from '../projections/relations.projector.js';
import { contentOfRow, type TimelineRow } from '../projections/timeline-row.js';

/** "implementations are encouraged to do a maximum of 3 hops to find a thread" (client-server API, "Receiving notifications"). */
const MAX_HOPS = 3;

interface Step {
  readonly parent: EventId;
  readonly relType: string;
}

/**
 * The root of the thread that an event is in: the one it names, or the one that the event is in which it relates to, up to
 * three relations away; undefined for an event of the main timeline, as the root itself is. PERF: nothing is looked up, nor
 * parsed, for an event that relates to nothing.
 */
export async function findThread(
  views: Pick<Views, 'get'>,
  roomId: RoomId,
  row: TimelineRow,
): Promise<EventId | undefined> {
  let relation = relationOfRow(row);
  for (let hop = 0; relation !== undefined; hop++) {
    if (relation.relType === THREAD) return relation.parent;
    if (hop === MAX_HOPS) return undefined;
    const told: ParentRow | undefined = await RELATION_PARENTS.get(views, [relation.parent]);
    relation = told && relationIn(roomId, told);
  }
  return undefined;
}

/** A redacted event relates to nothing any more. */
function relationIn(roomId: RoomId, [room, parent, , relType, , , , isRedacted]: ParentRow): Step | undefined {
  return room === roomId && isRedacted !== true ? { parent, relType } : undefined;
}

/** What an event says that it relates to. */
function relationOfRow(row: TimelineRow): Step | undefined {
  if (!row.content.includes('"m.relates_to"')) return undefined;
  const { parent, relType } = relationOf(contentOfRow(row)) ?? {};
  return parent === undefined || relType === undefined ? undefined : { parent, relType };
}
