import type { EventId, RoomId } from '#kernel/ids';
import type { OwnRows } from '#projections/projector';
import { scanPages } from '#projections/scan-pages';
import { type GraphRows, indexKey, indexOfKey } from './graph-rows.js';

/*
 * graph-copies [room, event, revision]: empty. A fact that holds the PDU of an event besides the one that decided what became of
 *     it: that which stored it before its place was known, and those that carry it because it is current again.
 */

/** Writes down that a fact holds an event that another one decides. */
export function noteCopy(rows: OwnRows, roomId: RoomId, eventId: EventId, revision: number): void {
  rows.put('graph-copies', [roomId, eventId, indexKey(revision)], '');
}

/** The revisions of the facts that hold an event besides the one that decided it. */
export async function listCopies(rows: GraphRows, roomId: RoomId, eventId: EventId): Promise<number[]> {
  const found: number[] = [];
  for await (const page of scanPages(rows, 'graph-copies', { prefix: [roomId, eventId] })) {
    for (const { key } of page) found.push(indexOfKey(key.at(-1)!));
  }
  return found;
}
