import { Controller, Get, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY, under } from '#http/client-paths';
import { type Query as QueryValues, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import type { Requester } from '#kernel/requester';
import { toldLists } from '../../device-lists/device-list-changes.js';
import { KeyChanges } from '../../queries/key-changes.js';

/** Whose devices have changed (client-server API, module "End-to-End Encryption"). */
@Authenticated()
@RateLimited('default')
@Controller(under(TODAY, 'keys/changes'))
export class KeyChangesController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  async changes(@CurrentRequester() requester: Requester, @Query() query: QueryValues): Promise<object> {
    const [from, to] = [requiredText(query, 'from'), requiredText(query, 'to')];
    return toldLists(await this.queries.execute(new KeyChanges(requester, from, to)));
  }
}
