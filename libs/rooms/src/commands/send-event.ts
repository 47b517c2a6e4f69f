import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { factId } from '#event-store/fact-id';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { transactionKey } from '../projections/timeline.projector.js';
import { contextOf } from '../worker/requester-context.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { findRedactionTarget, redactInTurn, redactionTargetOf } from './redact-event.js';

/**
 * Sends a message event: client-server API, "Sending events to a room". The same transaction id of the same device, room and
 * type answers the event id of the first time. Throws M_FORBIDDEN, M_TOO_LARGE, M_BAD_JSON, M_NOT_FOUND.
 */
export class SendEvent {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly type: string,
    readonly content: JsonObject,
    readonly txnId?: string,
  ) {}
}

export interface EventSent {
  readonly eventId: EventId;
}

@CommandHandler(SendEvent)
export class SendEventHandler implements ICommandHandler<SendEvent> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute(command: SendEvent): Promise<EventSent> {
    const { requester, roomId, type, content } = command;
    const transaction = transactionOf(command);
    const answered = transaction && (await findAnswered(this.views, transaction));
    if (answered !== undefined) return { eventId: answered };

    const redacts = type === 'm.room.redaction' ? redactionTargetOf(content) : undefined;
    const target = redacts && (await findRedactionTarget(this.views, roomId, redacts));
    const { result, position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      if (target !== undefined) return redactInTurn(turn, requester, target, content, transaction);
      return sendOnce(turn, transaction, () => {
        const draft = { type, sender: requester.userId, content, txn: transaction?.txn };
        return turn.send(draft, transaction?.factId);
      });
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return { eventId: result };
  }
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
}): Transaction | undefined {
  const { requester, roomId, type, txnId } = command;
  if (txnId === undefined) return undefined;
  const { userId, deviceId } = requester;
  return {
    factId: factId(`transaction ${userId} ${deviceId} ${roomId} ${type} ${txnId}`),
    rowKey: [userId, deviceId, transactionKey(roomId, type, txnId)],
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
