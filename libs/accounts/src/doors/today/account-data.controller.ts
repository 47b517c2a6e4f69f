import { Controller, Delete, Get, Inject, Param, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { TODAY_AND_ALPHA, under } from '#http/client-paths';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { type RoomId, parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { SetAccountData } from '../../commands/set-account-data.js';
import { SetTag } from '../../commands/set-tag.js';
import { checkClientMayWrite } from '../../decide/decide-account-data.js';
import { findAccountData } from '../../queries/account-data.js';
import { checkOwn } from '#http/check-own';

/** Private data and tags (client-server API, modules "Client Config" and "Room Tagging"). */
@WhileSuspended()
@Authenticated()
@RateLimited('default')
@Controller(under(TODAY_AND_ALPHA, 'user/:userId'))
export class AccountDataController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Get('account_data/:type')
  get(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('type') type: string,
  ): Promise<RawJson> {
    return this.#get(requester, userId, undefined, type);
  }

  @Put('account_data/:type')
  set(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('type') type: string,
    @JsonBody() content: JsonObject,
  ): Promise<object> {
    return this.#set(requester, userId, undefined, type, content);
  }

  @Get('rooms/:roomId/account_data/:type')
  getOfRoom(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
  ): Promise<RawJson> {
    return this.#get(requester, userId, parseRoomId(roomId), type);
  }

  @Put('rooms/:roomId/account_data/:type')
  setOfRoom(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @JsonBody() content: JsonObject,
  ): Promise<object> {
    return this.#set(requester, userId, parseRoomId(roomId), type, content);
  }

  @Get('rooms/:roomId/tags')
  async tags(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('roomId') roomId: string,
  ): Promise<RawJson> {
    checkOwn(requester, userId, 'tags');
    const found = await findAccountData(this.views, requester.userId, parseRoomId(roomId), 'm.tag');
    return new RawJson(found?.content ?? '{"tags":{}}');
  }

  @Put('rooms/:roomId/tags/:tag')
  async setTag(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('roomId') roomId: string,
    @Param('tag') tag: string,
    @JsonBody(undefined, { allowEmpty: true }) content: JsonObject,
  ): Promise<object> {
    checkOwn(requester, userId, 'tags');
    await this.commands.execute(new SetTag(requester, parseRoomId(roomId), tag, content));
    return {};
  }

  @Delete('rooms/:roomId/tags/:tag')
  async removeTag(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('roomId') roomId: string,
    @Param('tag') tag: string,
  ): Promise<object> {
    checkOwn(requester, userId, 'tags');
    await this.commands.execute(new SetTag(requester, parseRoomId(roomId), tag, undefined));
    return {};
  }

  async #get(requester: Requester, userId: string, roomId: RoomId | undefined, type: string): Promise<RawJson> {
    checkOwn(requester, userId, 'account data');
    const found = await findAccountData(this.views, requester.userId, roomId, type);
    if (found === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no account data of this type');
    return new RawJson(found.content);
  }

  async #set(
    requester: Requester,
    userId: string,
    roomId: RoomId | undefined,
    type: string,
    content: JsonObject,
  ): Promise<object> {
    checkOwn(requester, userId, 'account data');
    checkClientMayWrite(type);
    await this.commands.execute(new SetAccountData(requester, roomId, type, content));
    return {};
  }
}
