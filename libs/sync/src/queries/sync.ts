import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { OpenSession } from '#http/open-session';
import { SHUTDOWN } from '#http/shutdown';
import { formatStreamMoment, parseStreamMoment } from '#http/tokens/stream-token';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { Requester } from '#kernel/requester';
import { Slots } from '#kernel/slots';
import { SyncFilters } from '../filters/sync-filters.js';
import type { ActiveUser } from '../notifier/active-user.js';
import { ActiveUsers, type Watch } from '../notifier/active-users.js';
import type { Interest } from '../notifier/interest.js';
import type { StateAfter } from '../streams/sync-context.js';
import { SyncContexts, type SyncRequest } from '../streams/sync-contexts.js';
import { SyncStreams } from '../streams/sync-streams.js';

/** What a client asks of GET /sync, as it came. */
export interface SyncOptions {
  readonly since?: string;
  /** A filter's id, or a filter as JSON. */
  readonly filter?: string;
  readonly fullState: boolean;
  readonly stateAfter: StateAfter | undefined;
  /** `rooms` is there where nothing is in it too, as in the version before today's. */
  readonly allSections?: boolean;
  /** How long to wait for news, in milliseconds. */
  readonly timeout: number;
}

/**
 * What a client has not seen yet, waiting for it where there is nothing: client-server API, "Syncing". Answers JSON text.
 * Throws M_INVALID_PARAM (a token that is none, an unknown filter), M_NOT_JSON, M_BAD_JSON, M_UNKNOWN_TOKEN
 * (the session ended meanwhile).
 */
export class Sync extends Query<string> {
  constructor(
    readonly requester: Requester,
    readonly session: OpenSession,
    readonly options: SyncOptions,
    /** Aborts when nobody waits for the answer any more. */
    readonly gone: AbortSignal,
  ) {
    super();
  }
}

const MAX_WAIT_MS = 120_000;
/**
 * How many answers are computed at once: enough to keep a remote store busy. A message that wakes a thousand requests is told to the
 * first of them after one computation, not after a thousand that take turns. Initial ones, which take longer, wait apart.
 */
const AT_ONCE = 8;

@QueryHandler(Sync)
export class SyncHandler implements IQueryHandler<Sync> {
  readonly #initial = new Slots(AT_ONCE);
  readonly #incremental = new Slots(AT_ONCE);

  constructor(
    private readonly active: ActiveUsers,
    private readonly contexts: SyncContexts,
    private readonly streams: SyncStreams,
    private readonly filters: SyncFilters,
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    @Inject(SHUTDOWN) private readonly shutdown: AbortSignal,
  ) {}

  async execute({ requester, session, options, gone }: Sync): Promise<string> {
    const begin = await this.#beginOf(options.since);
    const filter = await this.filters.get(requester.userId, options.filter);
    const { fullState, stateAfter, allSections = false } = options;
    const watch = await this.active.watch(requester.userId);
    try {
      const mayWait = begin.since !== undefined && !fullState;
      const deadline = mayWait ? this.clock.elapsed() + Math.min(options.timeout, MAX_WAIT_MS) : 0;
      const request = { requester, ...begin, filter, fullState, stateAfter, allSections };
      return await this.#answer(watch, request, session, { deadline, signals: [gone, this.shutdown] });
    } finally {
      watch.interest.close();
    }
  }

  async #beginOf(text: string | undefined): Promise<Pick<SyncRequest, 'since' | 'isAnew' | 'heard'>> {
    if (text === undefined) return { since: undefined, isAnew: false, heard: undefined };
    const { isLost, ...moment } = parseStreamMoment(this.contexts.moments.history, text, 'since');
    // What the client heard there of names, members, levels, rules and unread counts, nothing that comes later takes back.
    if (isLost) return { since: undefined, isAnew: true, heard: moment.inbox ?? moment.position };
    const since = await this.contexts.moments.settle(moment);
    return { since, isAnew: false, heard: since.inbox ?? since.position };
  }

  async #answer(
    { user, interest }: Watch,
    request: SyncRequest,
    session: OpenSession,
    { deadline, signals }: { readonly deadline: number; readonly signals: readonly AbortSignal[] },
  ): Promise<string> {
    const slots = request.since === undefined || request.fullState ? this.#initial : this.#incremental;
    for (;;) {
      const { isNews, json, sent } = await slots.run(() => this.#compute(user, interest, request));
      // Only now, when the end of the answer is fixed: it holds nothing from after the end of the session.
      const validUntil = await session.validUntil();
      const left = deadline - this.clock.elapsed();
      if (isNews || left <= 0 || signals.some((signal) => signal.aborted)) {
        sent();
        return json;
      }
      await interest.wait(Math.min(left, validUntil - this.clock.now()), signals);
    }
  }

  async #compute(
    user: ActiveUser,
    interest: Interest,
    request: SyncRequest,
  ): Promise<{ isNews: boolean; json: string; sent: () => void }> {
    interest.rearm();
    const context = await this.contexts.open(user, request);
    const { members, isNews, end } = await this.streams.read(context);
    const token = formatStreamMoment(this.contexts.moments.history, end);
    const json = `{${[`"next_batch":"${token}"`, ...members].join()}}`;
    return { isNews, json, sent: () => context.members.sendUntil(token) };
  }
}
