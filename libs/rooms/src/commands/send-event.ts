import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { findRedactionTarget, redactInTurn, redactionTargetOf } from './redaction.js';
import { type EventSent, findTransaction, sendOnce } from './transaction.js';

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

@CommandHandler(SendEvent)
export class SendEventHandler implements ICommandHandler<SendEvent> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute(command: SendEvent): Promise<EventSent> {
    const { requester, roomId, type, content } = command;
    const redacts = type === 'm.room.redaction' ? redactionTargetOf(content) : undefined;
    const transaction = await findTransaction(this.views, { ...command, redacts });
    if (transaction?.answered !== undefined) return { eventId: transaction.answered };

    const target = redacts && (await findRedactionTarget(this.views, roomId, redacts));
    const { result, position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      if (target !== undefined) return redactInTurn(turn, requester, target, content, transaction);
      return sendOnce(turn, transaction, () => {
        return turn.send({ type, sender: requester.userId, content, txn: transaction?.txn });
      });
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return { eventId: result };
  }
}
