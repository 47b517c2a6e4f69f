import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type Position, START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { decideThreadSubscription, type SubscriptionCause } from '../decide/decide-thread-subscription.js';
import { getThreadRoot } from '../queries/find-thread-subscription.js';
import { findThread } from '../queries/find-thread.js';
import { findEventFor } from '../queries/get-event.js';
import type { ThreadSubscriptionRow } from '../projections/thread-subscriptions.projector.js';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findPlaces } from '../reading/event-rows.js';
import { ThreadSubscriptions } from './thread-subscriptions.js';

/**
 * Subscribes the user to a thread: MSC4306, "Subscribing to a thread". `cause`: the event because of which their client does it by itself.
 * Throws M_NOT_FOUND (there is no such thread for them), IO.ELEMENT.MSC4306.M_NOT_IN_THREAD (the cause is no event of it),
 * IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION (they unsubscribed since the cause came).
 */
export class SubscribeToThread extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly root: EventId,
    readonly cause: EventId | undefined,
  ) {
    super();
  }
}

@CommandHandler(SubscribeToThread)
export class SubscribeToThreadHandler implements ICommandHandler<SubscribeToThread> {
  constructor(
    private readonly subscriptions: ThreadSubscriptions,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute(command: SubscribeToThread): Promise<void> {
    const { requester, roomId, root } = command;
    await getThreadRoot(this.views, roomId, root, requester.userId);
    const caused = await this.#causeOf(command);
    const thread = { room_id: roomId, root };
    await this.subscriptions.change(requester, thread, async (before, now) => {
      const cause = caused && (await this.#judge(roomId, caused, before));
      return decideThreadSubscription(before, thread, cause, now);
    });
  }

  /** What is not there for the user is in no thread either: whose event it is is told nobody. */
  async #causeOf({ requester, roomId, root, cause }: SubscribeToThread): Promise<TimelineRow | undefined> {
    if (cause === undefined) return undefined;
    const found = await findEventFor(this.views, roomId, cause, requester.userId);
    // What was redacted says nothing any more because of which anybody would subscribe.
    const isWhole = found !== undefined && found.row.header.redactedBy === undefined;
    if (isWhole && (await findThread(found.room, found.row)) === root) return found.row;
    throw new MatrixError('IO.ELEMENT.MSC4306.M_NOT_IN_THREAD');
  }

  /** What was fetched from the past was there before the user could do anything. */
  async #judge(
    roomId: RoomId,
    { header }: TimelineRow,
    before: ThreadSubscriptionRow | undefined,
  ): Promise<SubscriptionCause> {
    const { eventId, position, isHistory } = header;
    if (before?.subscribed !== 'no') return { eventId, isNew: true };
    const seen: Position =
      (before.after && (await findPlaces(this.views, roomId, [before.after]))[0]?.position) ?? START;
    return { eventId, isNew: isHistory !== true && position > seen };
  }
}
