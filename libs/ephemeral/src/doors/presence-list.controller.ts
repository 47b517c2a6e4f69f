import { Controller, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { checkOwn } from '#http/check-own';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { TransactionAnswers } from '#http/transaction-answers';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { ChangePresenceList } from '../commands/change-presence-list.js';
import { GetPresenceList } from '../queries/get-presence-list.js';
import { readListChanges } from './read-list-changes.js';

/** Today's specification has no presence lists: a path of our own. */
const OWN = '_matrix/client/unstable/dev.annals.presence_list';

/** Presence lists for clients of today, as those of 2014/15. */
@Authenticated()
@RateLimited('default')
@Controller(`${OWN}/:userId`)
export class PresenceListController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  get(@CurrentRequester() requester: Requester, @Param('userId') userId: string): Promise<object> {
    checkOwn(requester, userId, 'presence list');
    return this.queries.execute(new GetPresenceList(requester, 'today'));
  }

  @Post()
  @HttpCode(200)
  async change(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    checkOwn(requester, userId, 'presence list');
    await this.commands.execute(new ChangePresenceList(requester, readListChanges(requester, body)));
    return {};
  }
}

/** Presence lists: client-server API v1, "Presence". The text leaves the user's id out of the path, the description of the API has it. */
@Authenticated()
@RateLimited('default')
@Controller(`${V1}/presence/list`)
export class PresenceListV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly answers: TransactionAnswers,
  ) {}

  @Get()
  async getOwn(@CurrentRequester() requester: Requester): Promise<object> {
    return (await this.queries.execute(new GetPresenceList(requester, 'v1'))).list;
  }

  @Get(':userId')
  get(@CurrentRequester() requester: Requester, @Param('userId') userId: string): Promise<object> {
    checkOwn(requester, userId, 'presence list');
    return this.getOwn(requester);
  }

  @Get(':userId/watchers')
  async getWatchers(@CurrentRequester() requester: Requester, @Param('userId') userId: string): Promise<object> {
    checkOwn(requester, userId, 'presence list');
    return (await this.queries.execute(new GetPresenceList(requester, 'v1'))).watchers;
  }

  @Post()
  @HttpCode(200)
  async changeOwn(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    await this.commands.execute(new ChangePresenceList(requester, readListChanges(requester, body)));
    return {};
  }

  @Post(':userId')
  @HttpCode(200)
  change(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    checkOwn(requester, userId, 'presence list');
    return this.changeOwn(requester, body);
  }

  @Put(':txnId')
  changeOwnOnce(
    @CurrentRequester() requester: Requester,
    @Param('txnId') txnId: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    return this.answers.once(requester, 'presence/list', txnId, () => this.changeOwn(requester, body));
  }

  @Put(':userId/:txnId')
  changeOnce(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('txnId') txnId: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    checkOwn(requester, userId, 'presence list');
    return this.answers.once(requester, 'presence/list', txnId, () => this.changeOwn(requester, body));
  }
}
