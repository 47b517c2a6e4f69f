import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { TODAY_AND_ALPHA, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { type EventId, isEventId, parseEventId, parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { Mark } from '../commands/receipts.js';
import { SetReadMarks } from '../commands/set-read-marks.js';
import { RECEIPT_TYPES, type ReceiptThread } from '../facts/receipt-facts.js';

/** Receipts and read markers (client-server API, modules "Receipts" and "Read and unread markers"). */
@WhileSuspended()
@Authenticated()
@RateLimited('default')
@Controller(under(TODAY_AND_ALPHA, 'rooms/:roomId'))
export class ReceiptsController {
  constructor(private readonly commands: CommandBus) {}

  @Post('receipt/:receiptType/:eventId')
  @HttpCode(200)
  async receipt(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('receiptType') type: string,
    @Param('eventId') eventId: string,
    @JsonBody(undefined, { allowEmpty: true }) body: JsonObject,
  ): Promise<object> {
    const mark = markOf(type, parseEventId(eventId), parseThread(body['thread_id']));
    await this.commands.execute(new SetReadMarks(requester, parseRoomId(roomId), [mark]));
    return {};
  }

  @Post('read_markers')
  @HttpCode(200)
  async readMarkers(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    const marks = ['m.fully_read', ...RECEIPT_TYPES]
      .filter((type) => body[type] !== undefined && body[type] !== null)
      .map((type) => markOf(type, parseEventId(body[type]), undefined));
    await this.commands.execute(new SetReadMarks(requester, parseRoomId(roomId), marks));
    return {};
  }
}

function markOf(type: string, eventId: EventId, thread: ReceiptThread): Mark {
  if (type === 'm.fully_read') {
    if (thread !== undefined) throw new MatrixError('M_INVALID_PARAM', 'm.fully_read knows no threads');
    return { kind: 'fully-read', eventId };
  }
  const known = RECEIPT_TYPES.find((one) => one === type);
  if (known === undefined) throw new MatrixError('M_INVALID_PARAM', `Not a type of receipt: ${type.slice(0, 80)}`);
  return { kind: 'receipt', type: known, eventId, thread };
}

function parseThread(thread: JsonObject['string']): ReceiptThread {
  if (thread === undefined) return undefined;
  if (thread === 'main') return thread;
  if (typeof thread !== 'string' || !isEventId(thread)) {
    throw new MatrixError('M_INVALID_PARAM', 'thread_id: neither an event ID nor main');
  }
  return thread;
}
