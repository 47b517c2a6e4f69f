import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import type { LogHistory } from '#event-store/log-history';
import { formatStreamMoment, type StreamMoment } from '#http/tokens/stream-token';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { readerOf } from '#rooms/reading/reader';
import type { SyncFilter } from '../filters/sync-filter.js';
import type { ActiveUser } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { LazyMembers } from '../parts/lazy-members.js';
import { SignedEvents } from '../parts/signed-events.js';
import { COVERED } from './covered.js';
import { NO_ACCOUNT_DATA, readAllAccountData, readChangedAccountData } from './read-account-data.js';
import type { SyncContext } from './sync-context.js';

/** A request for what is new, parsed. */
export interface SyncRequest {
  readonly requester: Requester;
  readonly since: StreamMoment | undefined;
  /** The client has heard of a part of the log that is lost: it is told everything, as at first. */
  readonly isAnew: boolean;
  readonly filter: SyncFilter;
  readonly fullState: boolean;
  readonly stateAfter: boolean;
  readonly allSections: boolean;
}

/** The event loop is not held longer than this by one answer. */
const MAX_HOLD_MS = 4;

/** Fixes what an answer is computed from: where it begins and where it ends. */
@Injectable()
export class SyncContexts {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly typing: Typing,
    private readonly lazyMembers: LazyMembers,
    private readonly signedEvents: SignedEvents,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(COVERED) private readonly covered: readonly string[],
  ) {}

  /** Which history of the log moments are of. */
  get history(): LogHistory {
    return this.views.history;
  }

  /**
   * The newest moment that everything in an answer has passed, and that is not before `since`, for somebody who hears of the
   * typing in these rooms.
   */
  async moment(since: StreamMoment | undefined, hears: (roomId: RoomId) => boolean): Promise<StreamMoment> {
    await this.active.catchUp();
    const seen = this.active.position;
    const passed = this.views.position(this.covered);
    let position = passed < seen ? passed : seen;
    // Where a projection is paused or filled anew the answer stands still, and never goes back.
    if (since !== undefined && since.position > position) position = since.position;
    return { position, typing: this.typing.mark(hears) };
  }

  /**
   * Where a token begins. One whose position the log has not got to, for it was put back and nobody noticed: now. To refuse it would leave clients asking for ever, to believe it would pass over what comes next. Asked once for each
   * request: asked again, "now" would be later.
   */
  async settle(token: StreamMoment): Promise<StreamMoment> {
    await this.active.catchUp();
    const seen = this.active.position;
    return token.position > seen ? { ...token, position: seen } : token;
  }

  /** Opens the context of one answer. */
  async open(user: ActiveUser, request: SyncRequest): Promise<SyncContext> {
    const { views } = this;
    const { since, requester } = request;
    const { userId } = requester;
    const until = await this.moment(since, (roomId) => user.isIn(roomId));
    const { position } = until;
    const hasOwnFacts = since === undefined || user.hasOwnFactsSince(since.position) !== false;
    const readAccountData = (): ReturnType<SyncContext['accountData']> => {
      if (since === undefined) return readAllAccountData(views, userId, position);
      if (!hasOwnFacts) return Promise.resolve(NO_ACCOUNT_DATA);
      return readChangedAccountData(views, userId, since.position, position);
    };
    return {
      ...request,
      until,
      now: this.clock.now(),
      rooms: user.rooms,
      members: this.lazyMembers.open(
        requester,
        since === undefined ? undefined : formatStreamMoment(views.history, since),
        request.filter.lazyLoadMembers,
      ),
      signed: request.filter.signedEvents ? this.signedEvents : undefined,
      accountData: once(readAccountData),
      reader: once(() => readerOf(views, requester)),
      pause: this.pacer(),
    };
  }

  /** Answers what to call now and then in a long computation: it lets other requests through when it is time. */
  pacer(): SyncContext['pause'] {
    let since = performance.now();
    return () => {
      if (performance.now() - since < MAX_HOLD_MS) return undefined;
      return nextTurn().then(() => {
        since = performance.now();
      });
    };
  }
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= read());
}
