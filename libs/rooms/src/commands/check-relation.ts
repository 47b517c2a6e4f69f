import { type EventId, isEventId, type RoomId, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { relationOf, THREAD } from '#protocol/relation';
import { type Annotation, annotationOf, annotationRowKey, ANNOTATIONS } from '../projections/annotations.projector.js';
import { contentOfRow } from '../projections/timeline-row.js';
import { findRowInRoom } from '../reading/event-rows.js';
import { findEventFor } from '../queries/get-event.js';
import { asServed } from '../reading/withhold.js';
import type { RoomTurn } from '../worker/room-turn.js';

/**
 * Why an event may not relate to another as its content says; undefined where it may. Events that are not in this room,
 * or that the sender may not see, are as if there were none: whose they are is told nobody. Nor does what is served redacted to
 * the sender relate to anything.
 */
export async function findRelationRefusal(
  views: Views,
  roomId: RoomId,
  sender: UserId,
  content: JsonObject,
  annotation: Annotation | undefined,
): Promise<MatrixError | undefined> {
  if (annotation !== undefined) return refuseDuplicate(views, roomId, annotation);
  const { relType, parent } = relationOf(content) ?? {};
  return relType === THREAD ? refuseThreadOn(views, roomId, sender, parent) : undefined;
}

/** Client-server API, "Avoiding duplicate annotations": unless the first one has been redacted. */
async function refuseDuplicate(views: Views, roomId: RoomId, annotation: Annotation): Promise<MatrixError | undefined> {
  const first = await ANNOTATIONS.get(views, annotationRowKey(roomId, annotation));
  if (first === undefined) return undefined;
  const row = await findRowInRoom(views, roomId, first as EventId);
  if (row === undefined || row.header.redactedBy !== undefined) return undefined;
  return duplicate();
}

/**
 * As `findRelationRefusal` for an annotation, of what another process wrote behind `viewed`, where the views stood when they
 * were asked.
 */
export async function findLaterDuplicate(
  turn: RoomTurn,
  annotation: Annotation,
  viewed: Position,
): Promise<MatrixError | undefined> {
  const [, name] = annotationRowKey(turn.roomId, annotation);
  const redacted = new Set<EventId>();
  for await (const fact of turn.readAfter(viewed)) {
    if (fact.type === 'pdu-redacted') redacted.add(fact.eventId);
    if (fact.type !== 'pdu-accepted' || redacted.has(fact.event.eventId)) continue;
    const { sender, type, content } = fact.event;
    const other = annotationOf(sender, type, content);
    if (other !== undefined && annotationRowKey(turn.roomId, other)[1] === name) return duplicate();
  }
  return undefined;
}

const duplicate = (): MatrixError =>
  new MatrixError('M_DUPLICATE_ANNOTATION', 'You have annotated this event with this key already');

/**
 * Client-server API, "Validation of m.thread relationships": the root of a thread relates to nothing itself. A rich reply has
 * no `rel_type` and can be one.
 */
async function refuseThreadOn(
  views: Views,
  roomId: RoomId,
  sender: UserId,
  root: EventId | undefined,
): Promise<MatrixError | undefined> {
  if (root === undefined || !isEventId(root)) return undefined;
  const row = await findRowInRoom(views, roomId, root);
  if (row === undefined || relationOf(contentOfRow(row))?.relType === undefined) return undefined;
  const seen = await findEventFor(views, roomId, root, sender);
  if (seen === undefined || relationOf(contentOfRow(await asServed(seen.room, row)))?.relType === undefined)
    return undefined;
  return new MatrixError('M_UNKNOWN', 'A thread cannot begin at an event that relates to another', { status: 400 });
}
