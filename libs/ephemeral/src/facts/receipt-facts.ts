import type { AccountDataSet } from '#accounts/facts/account-facts';
import type { NewFact } from '#event-store/event-store';
import type { FactShapes } from '#event-store/fact-shapes';
import type { EventId, RoomId } from '#kernel/ids';

/** The kinds of receipts: of the second only its user hears (client-server API, "Private read receipts"). */
export const RECEIPT_TYPES = ['m.read', 'm.read.private'] as const;
export type ReceiptType = (typeof RECEIPT_TYPES)[number];

/** What a receipt covers: a thread by its root, the room without its threads, or (undefined) all of the room. */
export type ReceiptThread = EventId | 'main' | undefined;

/**
 * In `marks-{user_id}`: `receipt-set`: the user has read a room, or one thread of it, up to an event. When it happened is in the
 * fact's metadata. Its use ends with the next one of the same room, type and thread: then it goes from the log. The fully read
 * marker of a room stands there too, as `account-data-set`, whose use ends with the next one of that room.
 */
export interface ReceiptSet {
  readonly room_id: RoomId;
  readonly receipt_type: ReceiptType;
  readonly event_id: EventId;
  readonly thread_id?: EventId | 'main';
}

/** In the same stream, `marks-ended`: nothing of what the user marked in some rooms counts any more, and what was said of that goes from the log. */
export interface MarksEnded {
  readonly rooms: readonly RoomId[];
}

/** How old shapes of these facts become today's. */
export const RECEIPT_SHAPES = {
  'receipt-set': [],
  'marks-ended': [],
} as const satisfies FactShapes;

/** Which mark a fact of `marks-` sets: of those of one the last counts. */
export function keyOfMark({ type, data }: Pick<NewFact, 'type' | 'data'>): string {
  if (type === 'marks-ended') return JSON.stringify([type, ...(JSON.parse(data) as MarksEnded).rooms.slice(0, 1)]);
  if (type !== 'receipt-set') return JSON.stringify([type, (JSON.parse(data) as AccountDataSet).room_id]);
  const { room_id: roomId, receipt_type: receipt, thread_id: thread } = JSON.parse(data) as ReceiptSet;
  return JSON.stringify([type, roomId, receipt, thread]); // both as `Receipts` wrote them
}
