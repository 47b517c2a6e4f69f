import type { EventId } from '#kernel/ids';
import { relationOf as relationOfContent, THREAD } from '#protocol/relation';
import { RELATION_PARENTS } from '../projections/relations.projector.js';
import { MAX_HOPS } from '../projections/thread-asides.js';
import { contentOfRow, type TimelineRow } from '../projections/timeline-row.js';
import { findRowInRoom } from '../reading/event-rows.js';
import type { RoomReader } from '../reading/room-reader.js';
import { asServed } from '../reading/withhold.js';

interface Step {
  readonly parent: EventId;
  readonly relType: string;
}

/**
 * The root of the thread that an event is in: the one it names, or the one that the event is in which it relates to, up to
 * three relations away; undefined for an event of the main timeline, as the root itself is. What the reader may not see, or is served
 * redacted to them, relates to nothing for them, as for receipts. What was redacted stays in the thread that it was in: so what was counted
 * there, or read by it, is so also where it is counted anew. PERF: nothing is looked up, nor parsed, for an event that relates to
 * nothing, and no more than one row for one that relates to such an event.
 */
export async function findThread(room: RoomReader, row: TimelineRow): Promise<EventId | undefined> {
  let relation = await relationOf(room, row);
  for (let hop = 0; relation !== undefined; hop++) {
    if (relation.relType === THREAD) return relation.parent;
    if (hop === MAX_HOPS) return undefined;
    relation = await findRelationOf(room, relation.parent);
  }
  return undefined;
}

async function findRelationOf(room: RoomReader, eventId: EventId): Promise<Step | undefined> {
  const { views, roomId } = room;
  if (!(await RELATION_PARENTS.has(views, [roomId, eventId]))) return undefined;
  const row = await findRowInRoom(views, roomId, eventId);
  const isSeen = row !== undefined && (await room.over([row])).maySee(row.header);
  return isSeen ? relationOf(room, await asServed(room, row)) : undefined;
}

/** What an event says that it relates to, or said before it was redacted. */
async function relationOf({ views, roomId }: RoomReader, row: TimelineRow): Promise<Step | undefined> {
  if (row.header.redactedBy !== undefined) {
    const [parent, , relType] = (await RELATION_PARENTS.get(views, [roomId, row.header.eventId])) ?? [];
    return parent === undefined || relType === undefined ? undefined : { parent, relType };
  }
  if (!row.content.includes('"m.relates_to"')) return undefined;
  const { parent, relType } = relationOfContent(contentOfRow(row)) ?? {};
  return parent === undefined || relType === undefined ? undefined : { parent, relType };
}
