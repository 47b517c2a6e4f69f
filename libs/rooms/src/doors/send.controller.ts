import { Controller, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type Config, CONFIG } from '#config/config';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { EventContent } from '#http/json-body';
import { readMassagedTime } from '#http/massaged-time';
import type { Query as QueryValues } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { readStickyDuration } from '#http/sticky-duration';
import { parseEventId, parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { RedactEvent } from '../commands/redact-event.js';
import { SendEvent, type SendOptions } from '../commands/send-event.js';
import { SetState } from '../commands/set-state.js';
import type { EventSent } from '../commands/transaction.js';
import { DELAYED_SENDS, type DelayedSend, type DelayedSends } from '../delayed-sends.js';
import { readDelay } from './read-delay.js';
import { readStateKey } from './read-state-key.js';

/** Sending events: client-server API, "Sending events to a room" and "Redactions"; later, where the query says so: MSC4140; sticky: MSC4354. */
@Controller([...TODAY])
@Authenticated()
@RateLimited('send')
export class SendController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(DELAYED_SENDS) private readonly delayed: DelayedSends,
    @Inject(CONFIG) private readonly config: Pick<Config, 'stickyEvents'>,
  ) {}

  /** NOTSPEC: without a transaction id, as in API v1; a client that repeats such a request sends twice. */
  @WhileSuspended()
  @Authenticated({ guests: true })
  @Post('rooms/:roomId/send/:type')
  @HttpCode(200)
  sendWithoutTransaction(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    return this.send(requester, roomId, type, undefined, query, content);
  }

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Put('rooms/:roomId/send/:type/:txnId')
  async send(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Param('txnId') txnId: string | undefined,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    const options = this.#readOptions(requester, query);
    const event = { roomId: parseRoomId(roomId), type, content, txnId };
    const delay = readDelay(query);
    if (delay !== undefined) return this.#delay(requester, { ...event, ...options, delay });
    const sent: EventSent = await this.commands.execute(
      new SendEvent(requester, event.roomId, type, content, txnId, options),
    );
    return { event_id: sent.eventId };
  }

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Put('rooms/:roomId/state/:type')
  setState(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    return this.#setState(requester, query, { roomId: parseRoomId(roomId), type, stateKey: '', content });
  }

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Put('rooms/:roomId/state/:type/:stateKey')
  setStateWithKey(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Param('stateKey') stateKey: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    const key = readStateKey(requester, type, stateKey);
    return this.#setState(requester, query, { roomId: parseRoomId(roomId), type, stateKey: key, content });
  }

  @WhileSuspended()
  @Put('rooms/:roomId/redact/:eventId/:txnId')
  async redact(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @Param('txnId') txnId: string,
    @EventContent({ allowEmpty: true }) content: JsonObject,
  ): Promise<object> {
    const sent: EventSent = await this.commands.execute(
      new RedactEvent(requester, parseRoomId(roomId), parseEventId(eventId), content, txnId),
    );
    return { event_id: sent.eventId };
  }

  /** NOTSPEC: without a transaction id, as other servers take it. */
  @WhileSuspended()
  @Post('rooms/:roomId/redact/:eventId')
  @HttpCode(200)
  async redactWithoutTransaction(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @EventContent({ allowEmpty: true }) content: JsonObject,
  ): Promise<object> {
    const sent: EventSent = await this.commands.execute(
      new RedactEvent(requester, parseRoomId(roomId), parseEventId(eventId), content),
    );
    return { event_id: sent.eventId };
  }

  async #setState(
    requester: Requester,
    query: QueryValues,
    event: Omit<DelayedSend, 'delay'> & { readonly stateKey: string },
  ): Promise<object> {
    const { roomId, type, stateKey, content } = event;
    const options = this.#readOptions(requester, query);
    const delay = readDelay(query);
    if (delay !== undefined) return this.#delay(requester, { ...event, ...options, delay });
    const sent: EventSent = await this.commands.execute(
      new SetState(requester, roomId, type, stateKey, content, options),
    );
    return { event_id: sent.eventId };
  }

  #readOptions(requester: Requester, query: QueryValues): SendOptions {
    return { sentAt: readMassagedTime(requester, query), stickyMs: readStickyDuration(query, this.config) };
  }

  async #delay(requester: Requester, event: DelayedSend): Promise<object> {
    return { delay_id: await this.delayed.schedule(requester, event) };
  }
}
