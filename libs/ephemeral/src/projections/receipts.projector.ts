import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { purgeByRoom } from '#rooms/projections/purged-rows';
import type { MarksEnded, ReceiptSet, ReceiptType } from '../facts/receipt-facts.js';

/** The event up to which something was read, when that was said, and the position of the change. */
export interface ReceiptRow {
  readonly event_id: EventId;
  readonly ts: number;
  readonly pos: Position;
}

/** Which receipt of a room. `thread` is '' for all of the room. */
export type ReceiptLogRow = readonly [userId: UserId, type: ReceiptType, thread: string];

export const RECEIPTS = new Collection<readonly [roomId: RoomId, ...ReceiptLogRow], ReceiptRow>('receipts', {
  key: ['room', 'user', 'type', 'thread or empty'],
  says: 'event, time, position of the change',
  codec: asJson(),
});

export const RECEIPTS_LOG = new Collection<readonly [roomId: RoomId, position: Position], ReceiptLogRow>(
  'receipts-log',
  {
    key: ['room', 'position'],
    says: 'whose receipt changed last there',
    codec: asJson(),
  },
);

/**
 * Each receipt has exactly one row in the log, at its last change, so a scan behind a token
 * finds what is new and nothing twice.
 */
export const receiptsProjector: Projector = {
  name: 'receipts',
  version: 2,
  ...owning(RECEIPTS, RECEIPTS_LOG),
  handles: (type) => type === 'receipt-set' || type === 'marks-ended' || type === 'room-purged',
  project(fact, rows) {
    if (fact.type === 'room-purged') return purgeByRoom(fact, rows, [RECEIPTS, RECEIPTS_LOG]);
    return fact.type === 'marks-ended' ? end(fact, rows) : project(fact, rows);
  },
};

async function end(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { rooms } = JSON.parse(fact.data) as MarksEnded; // written by `Receipts`
  for (const roomId of rooms) {
    await RECEIPTS.forEach(rows, { prefix: [roomId, userId] }, ({ key, value: { pos } }) => {
      if (pos > fact.position) return;
      RECEIPTS.delete(rows, key);
      RECEIPTS_LOG.delete(rows, [roomId, pos]);
    });
  }
}

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { room_id: roomId, receipt_type: type, event_id: eventId, thread_id: thread = '' } = readFact(fact);
  const key = [roomId, userId, type, thread] as const;
  const before = await RECEIPTS.get(rows, key);
  if (before !== undefined) {
    if (before.pos > fact.position) return; // applied before, and a newer one since
    RECEIPTS_LOG.delete(rows, [roomId, before.pos]);
  }
  RECEIPTS.put(rows, key, { event_id: eventId, ts: fact.metadata.at, pos: fact.position });
  RECEIPTS_LOG.put(rows, [roomId, fact.position], [userId, type, thread]);
}

function readFact(fact: RecordedFact): ReceiptSet {
  return JSON.parse(fact.data) as ReceiptSet; // what this library appended under this type has this shape
}
