import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { EventId, RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { Entry, Range } from '#projections/collection';
import type { Views } from '#projections/views';
import { boundAfter, boundUpTo } from '#read-models/place-bounds';
import { depthKey, depthOfKey } from '../projections/event-place.js';
import { type RelationKey, type RelationRow, RELATIONS } from '../projections/relations.projector.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { readRowsAt } from '../reading/event-rows.js';
import type { Reader } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';
import { servedRelated } from '../reading/withhold.js';
import { findGap, type Gap } from './find-gap.js';
import { findVisibleEvent } from './get-event.js';
import { justAfter, comparePlaced } from './timeline-places.js';
import { type ChildPlace, markedBy, seenRelations } from './seen-relations.js';

export interface RelationsRequest {
  readonly direction: 'b' | 'f';
  readonly from?: TimelinePlace;
  readonly to?: TimelinePlace;
  readonly limit: number;
  readonly relType?: string;
  readonly eventType?: string;
  /** Whether the relations of relations count too, up to `MAX_DEPTH` levels. */
  readonly recurse?: boolean;
}

export interface RelationsPage {
  readonly room: RoomReader;
  readonly rows: readonly TimelineRow[];
  /** Where to go on; undefined where there is nothing more. */
  readonly next: TimelinePlace | undefined;
  /** The first place after the event where history is missing: something there may relate to it. */
  readonly gaps: readonly Gap[];
}

type Page = Omit<RelationsPage, 'gaps'>;

/** How many levels of relations are followed. */
export const MAX_DEPTH = 3;
const PAGE = 200;
/** The most relations that one request looks at. */
const MAX_LOOKED_AT = 10_000;

interface Child extends TimelinePlace, ChildPlace {
  readonly place: Position;
  readonly id: EventId;
  readonly relation: RelationRow;
}

/**
 * The events that relate to one, in the order of the graph: client-server API, `GET /rooms/{roomId}/relations/{eventId}`. Throws
 * M_NOT_FOUND where the reader may not see that event. Who ignores its sender still reads what others say of it.
 */
export async function listRelations(
  views: Views,
  roomId: RoomId,
  eventId: EventId,
  reader: Reader,
  request: RelationsRequest,
): Promise<RelationsPage> {
  const parent = await findVisibleEvent(views, roomId, eventId, reader);
  if (parent === undefined) throw new MatrixError('M_NOT_FOUND', 'No such event, or you may not see it');
  const gap = await findGap(views, roomId, { direction: 'f', from: justAfter(parent.row) });
  const page = await (request.recurse === true
    ? pageOfDescendants(parent.room, eventId, request)
    : pageOfChildren(parent.room, eventId, request));
  return { ...page, gaps: gap === undefined ? [] : [gap] };
}

/** Read from where the page begins: what lies before it costs nothing, however much it is. */
async function pageOfChildren(room: RoomReader, eventId: EventId, request: RelationsRequest): Promise<Page> {
  const { views, roomId } = room;
  const rows: TimelineRow[] = [];
  let lookedAt = 0;
  for await (const page of RELATIONS.pages(views, childrenOf(roomId, eventId, request), PAGE)) {
    const children = page.map(childOf);
    const wanted = children.filter(({ relation }) => isOf(relation, request));
    rows.push(...(await relatedOf(room, await readRowsAt(views, roomId, wanted))));
    if (rows.length > request.limit) break;
    lookedAt += page.length;
    // A page may be short, and still lead on.
    if (lookedAt >= MAX_LOOKED_AT) return { room, rows, next: endOf(children.at(-1)!, request) };
  }
  return pageOf(room, rows, request);
}

async function pageOfDescendants(room: RoomReader, eventId: EventId, request: RelationsRequest): Promise<Page> {
  const { views, roomId } = room;
  const children = await listDescendants(room, eventId, request);
  const rows: TimelineRow[] = [];
  const size = request.limit + 1;
  for (let i = 0; i < children.length && rows.length < size; i += size) {
    rows.push(...(await relatedOf(room, await readRowsAt(views, roomId, children.slice(i, i + size)))));
  }
  return pageOf(room, rows, request);
}

/** A page of rows that are one more than its limit where there is more. */
function pageOf(room: RoomReader, rows: readonly TimelineRow[], request: RelationsRequest): Page {
  const shown = rows.slice(0, request.limit);
  const last = shown.at(-1);
  return {
    room,
    rows: shown,
    next: rows.length > shown.length && last !== undefined ? endOf(last.header, request) : undefined,
  };
}

function endOf(
  { depth, position }: { readonly depth: number; readonly position: Position },
  { direction }: RelationsRequest,
): TimelinePlace {
  return { depth, place: direction === 'b' ? { before: position } : position };
}

function childOf({ key, value: relation }: Entry<RelationKey, RelationRow>): Child {
  const [id, , , , mark] = relation;
  const position = key[3];
  return { id, relation, depth: depthOfKey(key[2]), place: position, position, ...markedBy(mark) };
}

/** The relations to an event between the request's tokens, in the direction of the page. */
function childrenOf(roomId: RoomId, eventId: EventId, { direction, from, to }: RelationsRequest): Range<RelationKey> {
  const prefix = [roomId, eventId] as const;
  const [lower, upper] = direction === 'b' ? [to, from] : [from, to];
  return {
    prefix,
    reverse: direction === 'b',
    ...(lower === undefined ? {} : boundAfter([...prefix, depthKey(lower.depth)], lower.place)),
    ...(upper === undefined ? {} : boundUpTo([...prefix, depthKey(upper.depth)], upper.place)),
  };
}

function isOf([, kind, type]: RelationRow, { relType, eventType }: RelationsRequest): boolean {
  return (relType === undefined || relType === kind) && (eventType === undefined || eventType === type);
}

/** What is served redacted to the reader relates to nothing any more for them. */
async function relatedOf(
  room: RoomReader,
  rows: readonly (TimelineRow | undefined)[],
): Promise<readonly TimelineRow[]> {
  const shown = await room.shownOf(rows.filter((row) => row !== undefined));
  return servedRelated(await room.over(shown), shown);
}

/** The related events that the request is for, and what relates to those, in the direction of the page. */
async function listDescendants(
  room: RoomReader,
  eventId: EventId,
  request: RelationsRequest,
): Promise<readonly Child[]> {
  const found = new Map<EventId, Child>();
  let parents: readonly EventId[] = [eventId];
  let left = MAX_LOOKED_AT;
  for (let depth = 0; depth < MAX_DEPTH && parents.length > 0; depth++) {
    const children = await listChildren(room, parents, request, left);
    left -= children.length;
    // What the reader does not know to relate to the event leads to nothing that would tell them.
    const seen = await seenRelations(room, children);
    for (const child of seen) if (isOf(child.relation, request)) found.set(child.id, child);
    parents = seen.map(({ id }) => id);
  }
  const { direction } = request;
  const inRange = [...found.values()].filter((child) => isBetween(child, request));
  return inRange.toSorted((a, b) => (direction === 'b' ? comparePlaced(b, a) : comparePlaced(a, b)));
}

/** What relates to some events, in the direction of the page, at most so many. */
async function listChildren(
  { views, roomId }: RoomReader,
  parents: readonly EventId[],
  { direction }: RelationsRequest,
  limit: number,
): Promise<readonly Child[]> {
  const children: Child[] = [];
  for (const parent of parents) {
    for await (const page of RELATIONS.pages(views, { prefix: [roomId, parent], reverse: direction === 'b' })) {
      children.push(...page.map(childOf));
      if (children.length >= limit) return children;
    }
  }
  return children;
}

/** Whether an event lies between the request's tokens. */
function isBetween(child: Child, { direction, from, to }: RelationsRequest): boolean {
  const [lower, upper] = direction === 'b' ? [to, from] : [from, to];
  return (
    (lower === undefined || comparePlaced(child, lower) > 0) &&
    (upper === undefined || comparePlaced(child, upper) <= 0)
  );
}
