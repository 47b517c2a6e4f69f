import { Controller, Delete, Get, Inject, Param, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { parseEventId, parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { SubscribeToThread } from '../commands/subscribe-to-thread.js';
import { UnsubscribeFromThread } from '../commands/unsubscribe-from-thread.js';
import { findThreadSubscription, type ThreadSubscription } from '../queries/find-thread-subscription.js';

/** Whether the user wants to hear of a thread: MSC4306, under the names that it has while it is not accepted. */
@WhileSuspended()
@Authenticated()
@RateLimited('default')
@Controller('_matrix/client/unstable/io.element.msc4306/rooms/:roomId/thread/:eventId/subscription')
export class ThreadSubscriptionController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Put()
  async subscribe(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @JsonBody(undefined, { allowEmpty: true }) body: JsonObject,
  ): Promise<object> {
    const automatic = body['automatic'] ?? undefined;
    const cause = automatic === undefined ? undefined : parseEventId(automatic);
    await this.commands.execute(new SubscribeToThread(requester, parseRoomId(roomId), parseEventId(eventId), cause));
    return {};
  }

  @Delete()
  async unsubscribe(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
  ): Promise<object> {
    await this.commands.execute(new UnsubscribeFromThread(requester, parseRoomId(roomId), parseEventId(eventId)));
    return {};
  }

  @Get()
  async subscription(
    @CurrentRequester() { userId }: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
  ): Promise<ThreadSubscription> {
    const found = await findThreadSubscription(this.views, parseRoomId(roomId), parseEventId(eventId), userId);
    if (found === undefined) throw new MatrixError('M_NOT_FOUND', 'You are not subscribed to this thread');
    return found;
  }
}
