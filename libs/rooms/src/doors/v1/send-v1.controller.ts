import { Controller, Delete, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { EventContent } from '#http/json-body';
import { readMassagedTime } from '#http/massaged-time';
import type { Query as QueryValues } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { parseEventId, parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { DeleteState } from '../../commands/delete-state.js';
import { RedactEvent } from '../../commands/redact-event.js';
import { SendEvent } from '../../commands/send-event.js';
import { SetState } from '../../commands/set-state.js';
import type { EventSent } from '../../commands/transaction.js';
import { checkContentV1 } from './check-content-v1.js';

const MAYBE_EMPTY = { allowEmpty: true } as const;

/**
 * Sending events: client-server API v1, "State events", "Message events" and "Redactions". A POST is a new event each time, a
 * PUT with a transaction id the same one. Application services say when they were sent (application service API, "Timestamp massaging").
 */
@Authenticated()
@RateLimited('send')
@Controller(`${V1}/rooms/:roomId`)
export class SendV1Controller {
  constructor(private readonly commands: CommandBus) {}

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Post('send/:type')
  @HttpCode(200)
  send(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    return this.sendOnce(requester, roomId, type, undefined, query, content);
  }

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Put('send/:type/:txnId')
  sendOnce(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Param('txnId') txnId: string | undefined,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    checkContentV1(type, content);
    const sentAt = readMassagedTime(requester, query);
    return this.#execute(new SendEvent(requester, parseRoomId(roomId), type, content, txnId, { sentAt }));
  }

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Put('state/:type')
  setState(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    return this.setStateWithKey(requester, roomId, type, '', query, content);
  }

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Put('state/:type/:stateKey')
  setStateWithKey(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Param('stateKey') stateKey: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    checkContentV1(type, content);
    const sentAt = readMassagedTime(requester, query);
    return this.#execute(new SetState(requester, parseRoomId(roomId), type, stateKey, content, { sentAt }));
  }

  /** "State sections may also be deleted", says the basis of 2015, and not by which request. */
  @Delete('state/:type')
  deleteState(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
  ): Promise<object> {
    return this.deleteStateWithKey(requester, roomId, type, '');
  }

  @Delete('state/:type/:stateKey')
  deleteStateWithKey(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Param('stateKey') stateKey: string,
  ): Promise<object> {
    return this.#execute(new DeleteState(requester, parseRoomId(roomId), type, stateKey));
  }

  @WhileSuspended()
  @Post('redact/:eventId')
  @HttpCode(200)
  redact(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @EventContent(MAYBE_EMPTY) content: JsonObject,
  ): Promise<object> {
    return this.#execute(new RedactEvent(requester, parseRoomId(roomId), parseEventId(eventId), content));
  }

  @WhileSuspended()
  @Put('redact/:eventId/:txnId')
  redactOnce(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @Param('txnId') txnId: string,
    @EventContent(MAYBE_EMPTY) content: JsonObject,
  ): Promise<object> {
    return this.#execute(new RedactEvent(requester, parseRoomId(roomId), parseEventId(eventId), content, txnId));
  }

  async #execute(command: SendEvent | SetState | DeleteState | RedactEvent): Promise<object> {
    const { eventId }: EventSent = await this.commands.execute(command);
    return { event_id: eventId };
  }
}
