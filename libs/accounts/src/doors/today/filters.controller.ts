import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { TODAY_AND_ALPHA, under } from '#http/client-paths';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { serverNameOf } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { CreateFilter } from '../../commands/create-filter.js';
import { parseFilter } from '../../filters/filter.js';
import { findFilterText } from '../../filters/find-filter-text.js';
import { checkOwn } from '#http/check-own';

/** Filters kept for /sync (client-server API, "Filtering"). */
@WhileSuspended()
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(under(TODAY_AND_ALPHA, 'user/:userId/filter'))
export class FiltersController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @HttpCode(200)
  @Post()
  async create(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @JsonBody() body: JsonObject,
  ): Promise<{ filter_id: string }> {
    checkOwn(requester, userId, 'filters');
    parseFilter(body, serverNameOf(requester.userId));
    return { filter_id: await this.commands.execute(new CreateFilter(requester, body)) };
  }

  @Get(':filterId')
  async get(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('filterId') filterId: string,
  ): Promise<RawJson> {
    checkOwn(requester, userId, 'filters');
    const text = await findFilterText(this.views, requester.userId, filterId);
    if (text === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such filter');
    return new RawJson(text);
  }
}
