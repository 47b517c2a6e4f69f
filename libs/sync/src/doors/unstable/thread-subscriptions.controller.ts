import { Controller, Get, Inject, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { type Query as QueryValues, queryEnum, queryInteger, queryText, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { listThreadSubscriptions } from '#rooms/queries/list-thread-subscriptions';
import { formatSubscriptionsToken, parseSubscriptionsToken, placeOfPos } from '../../sliding/subscriptions-token.js';
import { toldThreads, type ToldThreads } from '../../sliding/wire/thread-subscriptions.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 500;

/** What the extension of sliding sync had no room for of thread subscriptions: MSC4308, under the name that it has while it is not accepted. */
@Authenticated()
@RateLimited('default')
@Controller('_matrix/client/unstable/io.element.msc4308/thread_subscriptions')
export class ThreadSubscriptionsController {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  @Get()
  async page(
    @CurrentRequester() { userId }: Requester,
    @Query() query: QueryValues,
  ): Promise<ToldThreads & { readonly end?: string }> {
    requiredText(query, 'dir');
    queryEnum(query, 'dir', ['b']);
    const { history } = this.views;
    const [fromText, toText] = [queryText(query, 'from'), queryText(query, 'to')];
    const to = toText === undefined ? undefined : placeOfPos(history, toText);
    const from = fromText === undefined ? undefined : parseSubscriptionsToken(history, fromText);
    const limit = queryInteger(query, 'limit', { min: 1, cap: MAX_LIMIT }) ?? DEFAULT_LIMIT;
    const range = { after: from?.after ?? to, before: from?.before, limit };
    const { threads, next } = await listThreadSubscriptions(this.views, userId, range);
    const end = next && formatSubscriptionsToken(history, next, from?.after);
    return { ...toldThreads(threads), ...(end === undefined ? {} : { end }) };
  }
}
