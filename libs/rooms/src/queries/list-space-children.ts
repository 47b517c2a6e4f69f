import type { RoomId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { contentOfRow, parseRow, type TimelineRow } from '../projections/timeline-row.js';

/** A room that a space has for a child. */
export interface SpaceChild {
  readonly roomId: RoomId;
  readonly isSuggested: boolean;
  readonly order: string | undefined;
  /** The state event that says so. */
  readonly row: TimelineRow;
}

/** So many are shown: the first in the order of the space. */
const MAX_CHILDREN = 1_000;
/** "ascii characters between \x20 (space) and \x7E (~), inclusive", and no more than 50 of them. */
const ORDER = /^[\x20-\x7e]{1,50}$/;

/** The children of a space as they are to be shown: client-server API, "Ordering of children within a space". */
export async function listSpaceChildren(views: Views, space: RoomId): Promise<SpaceChild[]> {
  const children: SpaceChild[] = [];
  // Those that were taken out of the space are still among its state.
  for await (const page of ROOM_STATE.pages(views, { prefix: [space, 'm.space.child'] })) {
    for (const { value } of page) children.push(...childOf(parseRow(value)));
  }
  return children
    .toSorted(
      (a, b) => byOrder(a.order, b.order) || a.row.header.sentAt - b.row.header.sentAt || compare(a.roomId, b.roomId),
    )
    .slice(0, MAX_CHILDREN);
}

/** "When not present or invalid, the child room is not considered to be part of the space": `via`. */
function childOf(row: TimelineRow): SpaceChild[] {
  const { via, order, suggested } = contentOfRow(row);
  const roomId = row.header.stateKey ?? '';
  if (!Array.isArray(via) || via.length === 0 || !roomId.startsWith('!')) return [];
  const isOrder = typeof order === 'string' && ORDER.test(order);
  const child = { roomId: roomId as RoomId, isSuggested: suggested === true, order: isOrder ? order : undefined, row };
  return [child];
}

function byOrder(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compare(a, b);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
