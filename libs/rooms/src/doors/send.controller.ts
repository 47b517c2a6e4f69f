import { Controller, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { EventContent } from '#http/json-body';
import type { Query as QueryValues } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { parseEventId, parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { RedactEvent } from '../commands/redact-event.js';
import { SendEvent } from '../commands/send-event.js';
import { SetState } from '../commands/set-state.js';
import type { EventSent } from '../commands/transaction.js';
import { readMassagedTime } from './massaged-time.js';
import { readStateKey } from './read-state-key.js';

/** Sending events: client-server API, "Sending events to a room" and "Redactions". */
@Controller([...TODAY])
@Authenticated()
@RateLimited('send')
export class SendController {
  constructor(private readonly commands: CommandBus) {}

  /** NOTSPEC: without a transaction id, as in API v1; a client that repeats such a request sends twice. */
  @Authenticated({ guests: true })
  @Post('rooms/:roomId/send/:type')
  @HttpCode(200)
  async sendWithoutTransaction(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    const sent: EventSent = await this.commands.execute(new SendEvent(requester, parseRoomId(roomId), type, content));
    return { event_id: sent.eventId };
  }

  @Authenticated({ guests: true })
  @Put('rooms/:roomId/send/:type/:txnId')
  async send(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Param('txnId') txnId: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    const sentAt = readMassagedTime(requester, query);
    const sent: EventSent = await this.commands.execute(
      new SendEvent(requester, parseRoomId(roomId), type, content, txnId, sentAt),
    );
    return { event_id: sent.eventId };
  }

  @Authenticated({ guests: true })
  @Put('rooms/:roomId/state/:type')
  setState(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    const sentAt = readMassagedTime(requester, query);
    return this.#setState(new SetState(requester, parseRoomId(roomId), type, '', content, sentAt));
  }

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
    const sentAt = readMassagedTime(requester, query);
    return this.#setState(new SetState(requester, parseRoomId(roomId), type, key, content, sentAt));
  }

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

  async #setState(command: SetState): Promise<object> {
    const sent: EventSent = await this.commands.execute(command);
    return { event_id: sent.eventId };
  }
}
