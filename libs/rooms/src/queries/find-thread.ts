import type { EventId, RoomId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { type ParentRow, THREAD } from '../projections/relations.projector.js';
import { contentOfRow, type TimelineRow } from '../projections/timeline-row.js';

/** "implementations are encouraged to do a maximum of 3 hops to find a thread" (client-server API, "Receiving notifications"). */
const MAX_HOPS = 3;

interface Relation {
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
  let relation = relationOf(row);
  for (let hop = 0; relation !== undefined; hop++) {
    if (relation.relType === THREAD) return relation.parent;
    if (hop === MAX_HOPS) return undefined;
    const text: string | undefined = await views.get('relation-parents', [relation.parent]);
    relation = text === undefined ? undefined : relationIn(roomId, JSON.parse(text) as ParentRow);
  }
  return undefined;
}

/** A redacted event relates to nothing any more. */
function relationIn(roomId: RoomId, [room, parent, , relType, , isRedacted]: ParentRow): Relation | undefined {
  return room === roomId && isRedacted !== true ? { parent, relType } : undefined;
}

/** What an event says that it relates to. */
function relationOf(row: TimelineRow): Relation | undefined {
  if (!row.json.includes('"m.relates_to"')) return undefined;
  const relation = contentOfRow(row)['m.relates_to'];
  if (!isJsonObject(relation)) return undefined;
  const { event_id: parent, rel_type: relType } = relation;
  return typeof parent === 'string' && typeof relType === 'string' ? { parent: parent as EventId, relType } : undefined;
}
