import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Range } from '#projections/collection';
import type { Views } from '#projections/views';
import type { Reader } from '#rooms/reading/reader';
import type { ReceiptType } from '../facts/receipt-facts.js';
import { type ReceiptLogRow, type ReceiptRow, RECEIPTS, RECEIPTS_LOG } from '../projections/receipts.projector.js';

/** One receipt as readers get it. `thread` is '' for a receipt of all of the room. */
export interface Receipt extends ReceiptRow {
  readonly userId: UserId;
  readonly type: ReceiptType;
  readonly thread: string;
}

/** Whose eyes the receipts are for, and how far the views may be read. */
export interface ReceiptRange {
  readonly reader: Reader;
  /** Only receipts after this position; all of the room where it is undefined. */
  readonly after?: Position;
  /** Nothing after this position. */
  readonly upTo: Position;
}

/** The most receipts told of one room at a time, the newest. */
const MAX_RECEIPTS = 10_000;

/**
 * The receipts of a room that the reader is shown: no private ones of others, and none of users the reader ignores. One that
 * changed after `upTo` is left out: it is new at the next look.
 */
export async function listReceipts(
  views: Pick<Views, 'scan' | 'getMany'>,
  roomId: RoomId,
  { reader, after, upTo }: ReceiptRange,
): Promise<Receipt[]> {
  const found =
    after === undefined ? await allReceipts(views, roomId, upTo) : await changedReceipts(views, roomId, after, upTo);
  return found.filter(
    ({ pos, type, userId }) =>
      pos <= upTo && (type !== 'm.read.private' || userId === reader.userId) && !reader.ignored.has(userId),
  );
}

async function allReceipts(views: Pick<Views, 'scan' | 'getMany'>, roomId: RoomId, upTo: Position): Promise<Receipt[]> {
  const rows = await RECEIPTS.scan(views, { prefix: [roomId], limit: MAX_RECEIPTS });
  // There may be more, and these are the first by the names of their users.
  if (rows.length === MAX_RECEIPTS) return changedReceipts(views, roomId, START, upTo);
  return rows.map(({ key: [, ...named], value }) => receiptOf(named, value));
}

/**
 * Of a change that another one followed nothing is told, though its row may be there: a crash can have kept it, in a store
 * without transactions.
 */
async function changedReceipts(
  views: Pick<Views, 'scan' | 'getMany'>,
  roomId: RoomId,
  after: Position,
  upTo: Position,
): Promise<Receipt[]> {
  const range: Range<readonly [RoomId, Position]> = { prefix: [roomId], after: [roomId, after], to: [roomId, upTo] };
  const changes = (await RECEIPTS_LOG.scan(views, { ...range, reverse: true, limit: MAX_RECEIPTS })).toReversed();
  if (changes.length === 0) return [];
  const receipts = await RECEIPTS.getMany(
    views,
    changes.map(({ value }) => [roomId, ...value]),
  );
  return changes.flatMap(({ key: [, position], value }, i) => {
    const receipt = receipts[i];
    return receipt?.pos === position ? [receiptOf(value, receipt)] : [];
  });
}

function receiptOf([userId, type, thread]: ReceiptLogRow, row: ReceiptRow): Receipt {
  return { ...row, userId, type, thread };
}

/**
 * The contents of the `m.receipt` events that tell of receipts: one for each thread (client-server API, "Receipts"), so that
 * a user's receipts of several threads on one event do not overwrite each other. JSON texts.
 */
export function receiptContents(receipts: readonly Receipt[]): string[] {
  const threads = new Map<string, Map<string, Map<string, string[]>>>();
  for (const { thread, event_id: eventId, type, userId, ts } of receipts) {
    const entry = JSON.stringify(thread === '' ? { ts } : { ts, thread_id: thread });
    const events = getOrAdd(threads, thread, () => new Map<string, Map<string, string[]>>());
    const types = getOrAdd(events, eventId, () => new Map<string, string[]>());
    getOrAdd(types, type, () => []).push(`${JSON.stringify(userId)}:${entry}`);
  }
  return [...threads.values()].map(
    (events) =>
      `{${[...events]
        .map(([eventId, types]) => {
          const byType = [...types].map(([type, users]) => `"${type}":{${users.join(',')}}`);
          return `${JSON.stringify(eventId)}:{${byType.join(',')}}`;
        })
        .join(',')}}`,
  );
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
