import type { TimelinePlace } from '#http/tokens/timeline-token';
import type { EventId, RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { isAfter, type Position } from '#kernel/position';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import type { RelationRow } from '../projections/relations.projector.js';
import { parseRow, type TimelineRow } from '../projections/timeline-row.js';
import type { Reader } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';
import { withholdErased } from '../reading/withhold-erased.js';
import { findVisibleEvent } from './get-event.js';
import { justBefore, placeOf } from './list-messages.js';

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
}

/** How many levels of relations are followed. */
export const MAX_DEPTH = 3;
/** The most relations that one request looks at. */
const MAX_LOOKED_AT = 10_000;

interface Child {
  readonly position: Position;
  readonly id: EventId;
}

/**
 * The events that relate to one, in the order of the log: client-server API, `GET /rooms/{roomId}/relations/{eventId}`. Throws
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
  const { room } = parent;
  const children = await listChildren(views, roomId, eventId, request);
  const rows: TimelineRow[] = [];
  const size = request.limit + 1;
  for (let i = 0; i < children.length && rows.length < size; i += size) {
    const keys = children.slice(i, i + size).map(({ position }) => [roomId, position]);
    const texts = await views.getMany('timeline', keys);
    rows.push(...(await relatedOf(room, texts)));
  }
  const shown = rows.slice(0, request.limit);
  const last = shown.at(-1);
  const more = rows.length >= size && last !== undefined;
  return { room, rows: shown, next: more ? (request.direction === 'b' ? justBefore(last) : placeOf(last)) : undefined };
}

/** What is served redacted to the reader relates to nothing any more for them. */
async function relatedOf(room: RoomReader, texts: readonly (string | undefined)[]): Promise<TimelineRow[]> {
  const shown = await room.shownOf(texts.flatMap((text) => (text === undefined ? [] : [parseRow(text)])));
  const served = await withholdErased(await room.over(shown), shown);
  return shown.filter((row, i) => served[i] === row);
}

/** The related events that the request is for, in the direction of the page. */
async function listChildren(
  views: Views,
  roomId: RoomId,
  eventId: EventId,
  request: RelationsRequest,
): Promise<readonly Child[]> {
  const { direction, relType, eventType } = request;
  const found = new Map<EventId, Child>();
  let parents: readonly EventId[] = [eventId];
  let lookedAt = 0;
  for (let depth = 0; depth < (request.recurse === true ? MAX_DEPTH : 1) && parents.length > 0; depth++) {
    const next: EventId[] = [];
    for (const parent of parents) {
      for await (const page of scanPages(views, 'relations', { prefix: [roomId, parent] })) {
        for (const { key, value } of page) {
          const [id, kind, type] = JSON.parse(value) as RelationRow;
          next.push(id);
          const wanted = (relType === undefined || relType === kind) && (eventType === undefined || eventType === type);
          if (wanted) found.set(id, { position: key[2] as Position, id });
        }
        lookedAt += page.length;
        if (lookedAt >= MAX_LOOKED_AT) break;
      }
      if (lookedAt >= MAX_LOOKED_AT) break;
    }
    parents = next;
  }
  const inRange = [...found.values()].filter(({ position }) => isBetween(position, request));
  const sign = direction === 'b' ? -1 : 1;
  return inRange.toSorted((a, b) => (a.position < b.position ? -sign : sign));
}

/** Whether an event lies between the request's tokens. */
function isBetween(position: Position, { direction, from, to }: RelationsRequest): boolean {
  const [lower, upper] = direction === 'b' ? [to, from] : [from, to];
  return (
    (lower === undefined || isAfter(position, lower.place)) && (upper === undefined || !isAfter(position, upper.place))
  );
}
