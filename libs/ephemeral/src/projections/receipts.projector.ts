import type { RecordedFact } from '#event-store/event-store';
import type { EventId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import type { OwnRows, Projector } from '#projections/projector';
import type { ReceiptSet, ReceiptType } from '../facts/receipt-facts.js';

/** A row of `receipts`: [room, user, type, thread, or '' for all of the room]. */
export interface ReceiptRow {
  readonly event_id: EventId;
  readonly ts: number;
  readonly pos: Position;
}

/** A row of `receipts-log`: [room, position]: which receipt of the room changed last at this position. */
export type ReceiptLogRow = readonly [userId: UserId, type: ReceiptType, thread: string];

/**
 * `receipts` and `receipts-log`. Each receipt has exactly one row in the log, at its last change, so a scan behind a token
 * finds what is new and nothing twice.
 */
export const receiptsProjector: Projector = {
  name: 'receipts',
  version: 1,
  collections: ['receipts', 'receipts-log'],
  handles: (type) => type === 'receipt-set',
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { room_id: roomId, receipt_type: type, event_id: eventId, thread_id: thread = '' } = readFact(fact);
  const key = [roomId, userId, type, thread];
  const text = await rows.get('receipts', key);
  const before = text === undefined ? undefined : (JSON.parse(text) as ReceiptRow);
  if (before !== undefined) {
    if (before.pos > fact.position) return; // applied before, and a newer one since
    rows.delete('receipts-log', [roomId, before.pos]);
  }
  const row: ReceiptRow = { event_id: eventId, ts: fact.metadata.at, pos: fact.position };
  rows.put('receipts', key, JSON.stringify(row));
  rows.put('receipts-log', [roomId, fact.position], JSON.stringify([userId, type, thread] satisfies ReceiptLogRow));
}

function readFact(fact: RecordedFact): ReceiptSet {
  return JSON.parse(fact.data) as ReceiptSet; // what this library appended under this type has this shape
}
