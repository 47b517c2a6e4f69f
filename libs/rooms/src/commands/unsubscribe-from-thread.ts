import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EventId, RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { decideThreadUnsubscription } from '../decide/decide-thread-subscription.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { getThreadRoot } from '../queries/find-thread-subscription.js';
import { findLastRow } from '../reading/event-rows.js';
import { ThreadSubscriptions } from './thread-subscriptions.js';

/**
 * Unsubscribes the user from a thread, where they are subscribed: MSC4306, "Unsubscribing from a thread". Throws M_NOT_FOUND where there is
 * no such thread for them.
 */
export class UnsubscribeFromThread extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly roomId: RoomId,
    readonly root: EventId,
  ) {
    super();
  }
}

@CommandHandler(UnsubscribeFromThread)
export class UnsubscribeFromThreadHandler implements ICommandHandler<UnsubscribeFromThread> {
  constructor(
    private readonly subscriptions: ThreadSubscriptions,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, roomId, root }: UnsubscribeFromThread): Promise<void> {
    await getThreadRoot(this.views, roomId, root, requester.userId);
    const thread = { room_id: roomId, root };
    await this.subscriptions.change(requester, thread, async (before, now) => {
      const last = await findLastRow(this.views, roomId, this.views.position([TIMELINE.name]));
      return decideThreadUnsubscription(before, thread, last?.header.eventId, now);
    });
  }
}
