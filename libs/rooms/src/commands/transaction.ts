import type { EventId, RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { transactionKey, TRANSACTIONS } from '../projections/timeline-collections.js';
import { readRowsAt } from '../reading/event-rows.js';
import { transactionName } from '../worker/room-transactions.js';
import type { RoomTurn } from '../worker/room-turn.js';

/** What sending an event answers. */
export interface EventSent {
  readonly eventId: EventId;
}

/** A client's transaction, looked for in the views. */
export interface Transaction {
  /** What makes it the same within its room: `transactionName`. */
  readonly name: string;
  readonly txn: { readonly device_id: string; readonly txn_id: string };
  /** Where the views stood before they were asked; undefined where they did not answer. */
  readonly viewed: Position | undefined;
  /** The event that answered it, as far as they know. */
  readonly answered: EventId | undefined;
}

/**
 * Looks for the transaction of a command; undefined where the client gave no id. While the views cannot be reached only the
 * room is asked, which knows those of its last thousand facts: a send need not wait.
 */
export async function findTransaction(
  views: Views,
  command: {
    requester: Requester;
    roomId: RoomId;
    type: string;
    txnId?: string;
    /** The event that is redacted, by a redaction. */
    redacts?: EventId;
  },
): Promise<Transaction | undefined> {
  const { requester, roomId, type, txnId, redacts } = command;
  if (txnId === undefined) return undefined;
  const { userId, deviceId } = requester;
  const txn = { device_id: deviceId, txn_id: txnId };
  const name = transactionName({ sender: userId, type, redacts }, txn);
  const viewed = views.position([TRANSACTIONS.name]);
  const key = transactionKey({ userId, deviceId, roomId, type, txnId, redacts });
  try {
    const answered = await findAnswer(views, roomId, key);
    // Rows that somebody threw away look like rows that never were.
    if (answered === undefined) await views.confirm();
    return { name, txn, viewed, answered };
  } catch (error) {
    if (error instanceof ViewsUnavailable) return { name, txn, viewed: undefined, answered: undefined };
    throw error;
  }
}

async function findAnswer(
  views: Views,
  roomId: RoomId,
  key: ReturnType<typeof transactionKey>,
): Promise<EventId | undefined> {
  const position = await TRANSACTIONS.get(views, key);
  if (position === undefined) return undefined;
  const [row] = await readRowsAt(views, roomId, [{ position, isHistory: false }]);
  return row?.header.eventId;
}

/**
 * Answers the event of a transaction that the room has seen already, whoever wrote it: another request or process, or an
 * append whose outcome nobody was told. Else sends.
 */
export async function sendOnce(
  turn: RoomTurn,
  transaction: Transaction | undefined,
  send: () => Promise<{ eventId: EventId }>,
): Promise<EventId> {
  const answered = transaction && (await turn.findTransaction(transaction.name, transaction.viewed));
  return answered ?? (await send()).eventId;
}
