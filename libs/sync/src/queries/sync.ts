import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { SHUTDOWN } from '#http/shutdown';
import { CLOCK, type Clock } from '#kernel/clock';
import type { Requester } from '#kernel/requester';
import { SyncFilters } from '../filters/sync-filters.js';
import type { ActiveUser } from '../notifier/active-user.js';
import { ActiveUsers, type Watch } from '../notifier/active-users.js';
import { Gate } from '../notifier/gate.js';
import type { Interest } from '../notifier/interest.js';
import { LazyMembers } from '../parts/lazy-members.js';
import { SyncContexts, type SyncRequest } from '../streams/sync-contexts.js';
import { SyncStreams } from '../streams/sync-streams.js';
import { formatStreamToken, parseStreamToken } from '../tokens/stream-token.js';

/** What a client asks of GET /sync, as it came. */
export interface SyncOptions {
  readonly since?: string;
  /** A filter's id, or a filter as JSON. */
  readonly filter?: string;
  readonly fullState: boolean;
  readonly useStateAfter: boolean;
  /** How long to wait for news, in milliseconds. */
  readonly timeout: number;
}

/**
 * What a client has not seen yet, waiting for it where there is nothing: client-server API, "Syncing". Answers JSON text.
 * Throws M_INVALID_PARAM (a token that is none or of the future, an unknown filter), M_NOT_JSON, M_BAD_JSON.
 */
export class Sync extends Query<string> {
  constructor(
    readonly requester: Requester,
    readonly options: SyncOptions,
    /** Aborts when nobody waits for the answer any more. */
    readonly gone: AbortSignal,
  ) {
    super();
  }
}

const MAX_WAIT_MS = 120_000;
/** How many answers are computed at once: enough to keep a remote store busy. Initial ones, which take longer, wait apart. */
const AT_ONCE = 8;

@QueryHandler(Sync)
export class SyncHandler implements IQueryHandler<Sync> {
  readonly #initial = new Gate(AT_ONCE);
  readonly #incremental = new Gate(AT_ONCE);

  constructor(
    private readonly active: ActiveUsers,
    private readonly contexts: SyncContexts,
    private readonly streams: SyncStreams,
    private readonly filters: SyncFilters,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SHUTDOWN) private readonly shutdown: AbortSignal,
    private readonly lazyMembers: LazyMembers,
  ) {}

  async execute({ requester, options, gone }: Sync): Promise<string> {
    const since = options.since === undefined ? undefined : parseStreamToken(options.since, 'since');
    const filter = await this.filters.get(requester.userId, options.filter);
    const { fullState, useStateAfter: stateAfter } = options;
    if (since === undefined) this.lazyMembers.forget(requester);
    const watch = await this.active.watch(requester.userId);
    try {
      const mayWait = since !== undefined && !fullState;
      const deadline = mayWait ? this.clock.now() + Math.min(options.timeout, MAX_WAIT_MS) : 0;
      return await this.#answer(watch, { requester, since, filter, fullState, stateAfter }, deadline, gone);
    } finally {
      watch.interest.close();
    }
  }

  async #answer({ user, interest }: Watch, request: SyncRequest, deadline: number, gone: AbortSignal): Promise<string> {
    const signals = [gone, this.shutdown];
    const gate = request.since === undefined || request.fullState ? this.#initial : this.#incremental;
    for (;;) {
      const { isNews, json } = await gate.run(() => this.#compute(user, interest, request));
      const left = deadline - this.clock.now();
      if (isNews || left <= 0 || signals.some((signal) => signal.aborted)) return json;
      await interest.wait(left, signals);
    }
  }

  async #compute(
    user: ActiveUser,
    interest: Interest,
    request: SyncRequest,
  ): Promise<{ isNews: boolean; json: string }> {
    interest.rearm();
    const context = await this.contexts.open(user, request);
    const { members, isNews } = await this.streams.read(context);
    return { isNews, json: `{${[`"next_batch":"${formatStreamToken(context.until)}"`, ...members].join()}}` };
  }
}
