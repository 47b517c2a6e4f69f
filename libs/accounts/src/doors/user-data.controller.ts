import { Controller, Delete, Get, Inject, Param, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { checkOwn } from '#http/check-own';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { parseUserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { SetAccountData } from '../commands/set-account-data.js';
import { checkClientMayWrite } from '../decide/decide-account-data.js';
import { contentOfValue } from '../decide/user-data.js';
import { ReadableUserData } from '../reading/readable-user-data.js';

/**
 * "Private User Data" (2015, "the API is symmetrical to managing Profile data"): any value under a key, for the user alone unless an access
 * list says otherwise. What today's clients keep as account data of the whole account is the same data.
 */
@Authenticated()
@WhileSuspended()
@Controller([`${V1}/user_data`, '_matrix/client/unstable/dev.annals.user_data'])
export class UserDataController {
  constructor(
    private readonly commands: CommandBus,
    private readonly readable: ReadableUserData,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  @RateLimited('default')
  @Get(':userId')
  all(@CurrentRequester() requester: Requester, @Param('userId') userId: string): Promise<object> {
    return this.readable.list(parseUserId(userId, this.config.serverName), requester.userId);
  }

  @RateLimited('default')
  @Get(':userId/:key')
  async one(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('key') key: string,
  ): Promise<object> {
    const owner = parseUserId(userId, this.config.serverName);
    const value = await this.readable.find(owner, requester.userId, key);
    if (value === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such data that you may read');
    return { [key]: value };
  }

  @RateLimited('default')
  @Put(':userId/:key')
  async set(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('key') key: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    checkOwn(requester, userId, 'private data');
    checkClientMayWrite(key);
    const value = Object.hasOwn(body, key) ? body[key] : undefined;
    if (value === undefined) throw new MatrixError('M_MISSING_PARAM', `${key}: required`);
    await this.commands.execute(new SetAccountData(requester, undefined, key, contentOfValue(key, value)));
    return {};
  }

  @RateLimited('default')
  @Delete(':userId/:key')
  async remove(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('key') key: string,
  ): Promise<object> {
    checkOwn(requester, userId, 'private data');
    checkClientMayWrite(key);
    await this.commands.execute(new SetAccountData(requester, undefined, key, {}));
    return {};
  }
}
