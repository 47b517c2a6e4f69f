import { Inject, Injectable } from '@nestjs/common';
import { START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { THREAD_SUBSCRIPTIONS } from '#rooms/projections/thread-subscriptions.projector';
import { listThreadSubscriptions } from '#rooms/queries/list-thread-subscriptions';
import { formatSubscriptionsToken } from '../subscriptions-token.js';
import { THREADS_EXTENSION } from '../wire/read-request.js';
import { toldThreads } from '../wire/thread-subscriptions.js';
import {
  type ExtensionContext,
  type ExtensionPart,
  NOTHING_TO_TELL,
  type SlidingExtension,
  toldUpTo,
} from './extension-context.js';

/**
 * Which threads the user wants to hear of, and of which no more: those that changed last, and a token to read the others by. Of a
 * connection that begins all are told, also what ended: its client may remember it. MSC4308.
 */
@Injectable()
export class ThreadSubscriptionsExtension implements SlidingExtension {
  static readonly covers = [THREAD_SUBSCRIPTIONS.name];
  readonly key = THREADS_EXTENSION;

  constructor(@Inject(VIEWS) private readonly views: Views) {}

  async read(context: ExtensionContext): Promise<ExtensionPart> {
    const { sync, wanted } = context;
    if (wanted.threadSubscriptions === undefined) return NOTHING_TO_TELL;
    const { requester, until, since, hasOwnFacts } = sync;
    const after = toldUpTo(context, 'thread_subscriptions')?.position;
    const isUpToDate = after !== undefined && after === since?.position;
    if (isUpToDate && !hasOwnFacts) return NOTHING_TO_TELL;
    const range = { after, upTo: until.position, limit: wanted.threadSubscriptions.limit };
    const { threads, next } = await listThreadSubscriptions(this.views, requester.userId, range);
    if (threads.length === 0 && next === undefined) return NOTHING_TO_TELL;
    // "The `pos` parameter in the request would be used for the `to` parameter", up to which the client has less where it did not ask.
    const told = isUpToDate ? undefined : (after ?? START);
    const prevBatch = next && formatSubscriptionsToken(this.views.history, next, told);
    return { json: JSON.stringify({ ...toldThreads(threads), prev_batch: prevBatch }), isNews: true };
  }
}
