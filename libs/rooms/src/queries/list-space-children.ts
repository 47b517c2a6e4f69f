import { isServerName, type RoomId, type ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { contentOfRow, parseRow } from '../projections/timeline-row.js';
import { renderStripped } from './render-event.js';

/** A room that a space has for a child. */
export interface SpaceChild {
  readonly roomId: RoomId;
  /** Servers that may know it. */
  readonly via: readonly ServerName[];
  readonly isSuggested: boolean;
  readonly order: string | undefined;
  readonly sentAt: number;
  /** The state event that says so, stripped, with its time: JSON text. */
  readonly text: string;
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
    for (const { value } of page) {
      const row = parseRow(value);
      const { stateKey = '', sentAt } = row.header;
      const text = `${renderStripped(row, space).slice(0, -1)},"origin_server_ts":${JSON.stringify(sentAt)}}`;
      children.push(...spaceChildOf(stateKey, contentOfRow(row), sentAt, text));
    }
  }
  return orderChildren(children);
}

/** The first of some children, in the order in which they are shown. */
export function orderChildren(children: readonly SpaceChild[]): SpaceChild[] {
  return children
    .toSorted((a, b) => byOrder(a.order, b.order) || a.sentAt - b.sentAt || compare(a.roomId, b.roomId))
    .slice(0, MAX_CHILDREN);
}

/**
 * The child that a state event names; none: "when not present or invalid, the child room is not considered to be part of the space"
 * (`via`).
 */
export function spaceChildOf(stateKey: string, content: JsonObject, sentAt: number, text: string): SpaceChild[] {
  const { via, order, suggested } = content;
  if (!Array.isArray(via) || via.length === 0 || !stateKey.startsWith('!')) return [];
  const isOrder = typeof order === 'string' && ORDER.test(order);
  return [
    {
      roomId: stateKey as RoomId,
      via: (via as readonly unknown[]).filter(
        (name): name is ServerName => typeof name === 'string' && isServerName(name),
      ),
      isSuggested: suggested === true,
      order: isOrder ? order : undefined,
      sentAt,
      text,
    },
  ];
}

function byOrder(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compare(a, b);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
