import { factId } from '#event-store/fact-id';
import type { EventId, RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { transactionKey } from '../projections/timeline.projector.js';
import type { RoomTurn } from '../worker/room-turn.js';

/** What sending an event answers. */
export interface EventSent {
  readonly eventId: EventId;
}

/** A client's transaction: what makes it the same, wherever that is asked. */
export interface Transaction {
  readonly factId: string;
  readonly rowKey: readonly string[];
  readonly txn: { readonly device_id: string; readonly txn_id: string };
}

/** The transaction of a command; undefined where the client gave no id. */
export function transactionOf(command: {
  requester: Requester;
  roomId: RoomId;
  type: string;
  txnId?: string;
  /** The event that is redacted, by a redaction. */
  redacts?: EventId;
}): Transaction | undefined {
  const { requester, roomId, type, txnId, redacts } = command;
  if (txnId === undefined) return undefined;
  const { userId, deviceId } = requester;
  const key = transactionKey(roomId, type, txnId, redacts);
  return {
    factId: factId(`transaction ${userId} ${deviceId} ${key}`),
    rowKey: [userId, deviceId, key],
    txn: { device_id: deviceId, txn_id: txnId },
  };
}

/** The event id that the views have for a transaction. */
export async function findAnswered(views: Views, transaction: Transaction): Promise<EventId | undefined> {
  return (await views.get('transactions', transaction.rowKey)) as EventId | undefined;
}

/** Sends unless the transaction was answered while this request waited for its turn. */
export async function sendOnce(
  turn: RoomTurn,
  transaction: Transaction | undefined,
  send: () => Promise<{ eventId: EventId }>,
): Promise<EventId> {
  const answered = transaction && turn.findTransaction(transaction.factId);
  return answered ?? (await send()).eventId;
}
