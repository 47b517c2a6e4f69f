import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { findRedactionTarget, redactInTurn } from './redaction.js';
import { type EventSent, findTransaction } from './transaction.js';

/**
 * Strips an event of what is not essential to the protocol: client-server API, "Redactions". Its sender may, and whoever has
 * the redact level, also where the event has yet to come from another server. Throws M_INVALID_PARAM where the room has no such event
 * and cannot get it, M_FORBIDDEN, M_USER_SUSPENDED for who is suspended and has not sent it.
 */
export class RedactEvent {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly eventId: EventId,
    readonly content: JsonObject,
    readonly txnId?: string,
  ) {}
}

@CommandHandler(RedactEvent)
export class RedactEventHandler implements ICommandHandler<RedactEvent> {
  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, roomId, eventId, content, txnId }: RedactEvent): Promise<EventSent> {
    const sought = { requester, roomId, type: 'm.room.redaction', txnId, redacts: eventId };
    const transaction = await findTransaction(this.views, sought);
    if (transaction?.answered !== undefined) return { eventId: transaction.answered };
    const target = await findRedactionTarget(this.views, roomId, eventId, requester.userId);
    const { result, position } = await this.workers.run(roomId, contextOf(requester), (turn) =>
      redactInTurn(turn, requester, target, content, transaction),
    );
    if (position !== undefined) await this.views.whenProcessed(position);
    return { eventId: result };
  }
}
