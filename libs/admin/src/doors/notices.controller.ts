import { Controller, HttpCode, Param, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsObject, IsOptional, IsString } from 'class-validator';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { SendNotice } from '../commands/send-notice.js';

class NoticeBody {
  @IsString() user_id!: string;
  @IsObject() content!: JsonObject;
  @IsOptional() @IsString() type?: string;
  @IsOptional() @IsString() state_key?: string;
}

/** Notices to users, by administrators: not of the specification, but what Matrix tools use. */
@Controller('_synapse/admin/v1/send_server_notice')
@AdminsOnly()
@RateLimited('default')
export class NoticesController {
  constructor(private readonly commands: CommandBus) {}

  @Post()
  @HttpCode(200)
  send(@CurrentRequester() requester: Requester, @JsonBody(NoticeBody) body: NoticeBody): Promise<object> {
    return this.#send(requester, body);
  }

  @Put(':txnId')
  sendOnce(
    @CurrentRequester() requester: Requester,
    @Param('txnId') txnId: string,
    @JsonBody(NoticeBody) body: NoticeBody,
  ): Promise<object> {
    return this.#send(requester, body, txnId);
  }

  async #send(requester: Requester, body: NoticeBody, txnId?: string): Promise<object> {
    const { user_id: user, content, type = 'm.room.message', state_key: stateKey } = body;
    const to = readUserId(requester, user);
    const { eventId } = await this.commands.execute(new SendNotice(requester, to, { type, stateKey, content }, txnId));
    return { event_id: eventId };
  }
}
