import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { OpenSession } from '#http/open-session';
import { formatStreamMoment, parseStreamMoment } from '#http/tokens/stream-token';
import type { Requester } from '#kernel/requester';
import { SyncFilters } from '../filters/sync-filters.js';
import type { ActiveUser } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { AnswerSlots, LongPolls } from '../notifier/long-polls.js';
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

@QueryHandler(Sync)
export class SyncHandler implements IQueryHandler<Sync> {
  readonly #slots = new AnswerSlots();

  constructor(
    private readonly active: ActiveUsers,
    private readonly contexts: SyncContexts,
    private readonly streams: SyncStreams,
    private readonly filters: SyncFilters,
    private readonly polls: LongPolls,
  ) {}

  async execute({ requester, session, options, gone }: Sync): Promise<string> {
    const begin = await this.#beginOf(options.since);
    const filter = await this.filters.get(requester.userId, options.filter);
    const { fullState, stateAfter, allSections = false } = options;
    const { user, interest } = await this.active.watch(requester.userId);
    try {
      const isIncremental = begin.since !== undefined && !fullState;
      const timeout = isIncremental ? options.timeout : 0;
      const request = { requester, ...begin, filter, fullState, stateAfter, allSections };
      const poll = { interest, session, timeout, gone, slots: this.#slots.of(isIncremental) };
      const { json, sent } = await this.polls.answer(poll, () => this.#compute(user, request));
      sent();
      return json;
    } finally {
      interest.close();
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

  async #compute(user: ActiveUser, request: SyncRequest): Promise<{ isNews: boolean; json: string; sent: () => void }> {
    const context = await this.contexts.open(user, request);
    const { members, isNews, end } = await this.streams.read(context);
    const token = formatStreamMoment(this.contexts.moments.history, end);
    const json = `{${[`"next_batch":"${token}"`, ...members].join()}}`;
    return { isNews, json, sent: () => context.members.sendUntil(token) };
  }
}
