import type { EventId, RoomId } from '#kernel/ids';
import { asMark, Collection } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import { type GraphRows, indexKey, indexOfKey } from './graph-rows.js';

/**
 * A fact that holds the PDU of an event besides the one that decided what became of it: that which stored it before its place was
 * known, and those that carry it because it is current again, or were to.
 */
export const GRAPH_COPIES = new Collection<readonly [roomId: RoomId, eventId: EventId, revision: string], true>(
  'graph-copies',
  {
    key: ['room', 'event', 'revision'],
    says: 'nothing: the fact holds the event besides the one that decided it',
    codec: asMark,
  },
);

/** Writes down that a fact holds an event that another one decides. */
export function noteCopy(rows: OwnRows, roomId: RoomId, eventId: EventId, revision: number): void {
  GRAPH_COPIES.put(rows, [roomId, eventId, indexKey(revision)], true);
}

/** The revisions of the facts that hold an event besides the one that decided it. */
export async function listCopies(rows: GraphRows, roomId: RoomId, eventId: EventId): Promise<number[]> {
  const found: number[] = [];
  for await (const page of GRAPH_COPIES.pages(rows, { prefix: [roomId, eventId] })) {
    for (const { key } of page) found.push(indexOfKey(key[2]));
  }
  return found;
}
