import type { FactShapes } from '#event-store/fact-shapes';
import type { EventId, RoomId } from '#kernel/ids';

/** The kinds of receipts: of the second only its user hears (client-server API, "Private read receipts"). */
export const RECEIPT_TYPES = ['m.read', 'm.read.private'] as const;
export type ReceiptType = (typeof RECEIPT_TYPES)[number];

/** What a receipt covers: a thread by its root, the room without its threads, or (undefined) all of the room. */
export type ReceiptThread = EventId | 'main' | undefined;

/**
 * In `user-{user_id}`: `receipt-set`: the user has read a room, or one thread of it, up to an event. Of each user, room, type
 * and thread the last one counts. When it happened is in the fact's metadata.
 */
export interface ReceiptSet {
  readonly room_id: RoomId;
  readonly receipt_type: ReceiptType;
  readonly event_id: EventId;
  readonly thread_id?: EventId | 'main';
}

/** How old shapes of these facts become today's. */
export const RECEIPT_SHAPES = {
  'receipt-set': [],
} as const satisfies FactShapes;
