import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { type Annotation, annotationOf, annotationRowKey, ANNOTATIONS } from '../projections/annotations.projector.js';
import { contextOf } from '../worker/requester-context.js';
import { RoomWorkers } from '../worker/room-workers.js';
import { findLaterDuplicate, findRelationRefusal } from './check-relation.js';
import { checkStateKey } from './check-state.js';
import { findRedactionTarget, redactInTurn, parseRedactionTarget } from './redaction.js';
import { refuseSuspendedInRoom } from './refuse-suspended-in-room.js';
import { type EventSent, findTransaction, sendOnce } from './transaction.js';

/**
 * Sends a message event: client-server API, "Sending events to a room". The same transaction id of the same device, room and
 * type answers the event id of the first time. Throws M_FORBIDDEN, M_USER_SUSPENDED, M_TOO_LARGE, M_BAD_JSON,
 * M_DUPLICATE_ANNOTATION, M_UNKNOWN with status 400 (a thread on what relates to something itself), M_BAD_STATE (there is one
 * m.room.create), and as RedactEvent.
 */
export class SendEvent {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly type: string,
    readonly content: JsonObject,
    readonly txnId?: string,
    readonly options: SendOptions = {},
  ) {}
}

/** What an event says besides its content. */
export interface SendOptions {
  /** What an application service has it say of when it was sent. */
  readonly sentAt?: number;
  /** For how long it is sticky (MSC4354), in milliseconds: a redaction never is. */
  readonly stickyMs?: number;
}

@CommandHandler(SendEvent)
export class SendEventHandler implements ICommandHandler<SendEvent> {
  /** Of annotations that are the same one at a time looks whether it is the first: each finds in the views what was before it. */
  readonly #annotations = new KeyedQueue<string>();

  constructor(
    private readonly workers: RoomWorkers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'notices'>,
  ) {}

  execute(command: SendEvent): Promise<EventSent> {
    const { requester, roomId, type, content } = command;
    const annotation = annotationOf(requester.userId, type, content);
    if (annotation === undefined) return this.#send(command, undefined);
    return this.#annotations.run(annotationRowKey(roomId, annotation).join(), () => this.#send(command, annotation));
  }

  async #send(command: SendEvent, annotation: Annotation | undefined): Promise<EventSent> {
    const { requester, roomId, type, content, txnId, options } = command;
    checkStateKey(type, undefined);
    if (type !== 'm.room.redaction') await refuseSuspendedInRoom(this.views, this.config.notices, requester, roomId);
    const redacts = type === 'm.room.redaction' ? parseRedactionTarget(content) : undefined;
    const transaction = await findTransaction(this.views, { requester, roomId, type, txnId, redacts });
    if (transaction?.answered !== undefined) return { eventId: transaction.answered };

    const target = redacts && (await findRedactionTarget(this.views, roomId, redacts, requester.userId));
    const viewed = this.views.position([ANNOTATIONS.name]);
    const seen = await findRelationRefusal(this.views, roomId, requester.userId, content, annotation);
    const { result, position } = await this.workers.run(roomId, contextOf(requester), async (turn) => {
      if (target !== undefined) return redactInTurn(turn, requester, target, content, transaction);
      return sendOnce(turn, transaction, async () => {
        const draft = { type, sender: requester.userId, content, txn: transaction?.txn, ...options };
        const refusal = seen ?? (annotation && (await findLaterDuplicate(turn, annotation, viewed)));
        if (refusal !== undefined) {
          await turn.authorise(draft);
          throw refusal;
        }
        return turn.send(draft);
      });
    });
    if (position !== undefined) await this.views.whenProcessed(position);
    return { eventId: result };
  }
}
