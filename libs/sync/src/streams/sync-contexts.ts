import { Inject, Injectable } from '@nestjs/common';
import { readKeyCounts } from '#devices/queries/key-counts';
import { formatStreamMoment, type StreamMoment } from '#http/tokens/stream-token';
import { CLOCK, type Clock } from '#kernel/clock';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { followerOf } from '#rooms/reading/reader';
import type { SyncFilter } from '../filters/sync-filter.js';
import type { ActiveUser } from '../notifier/active-user.js';
import { LazyMembers } from '../parts/lazy-members.js';
import { SignedEvents } from '../parts/signed-events.js';
import { NO_ACCOUNT_DATA, readAllAccountData, readChangedAccountData } from './read-account-data.js';
import { StreamMoments } from './stream-moments.js';
import type { StateAfter, SyncContext } from './sync-context.js';

/** A request for what is new, parsed. */
export interface SyncRequest {
  readonly requester: Requester;
  readonly since: StreamMoment | undefined;
  /** The client has heard of a part of the log that is lost: it is told everything, as at first. */
  readonly isAnew: boolean;
  /** Of messages to its device the client has all up to here, also where what it heard besides is lost. */
  readonly heard: Position | undefined;
  readonly filter: SyncFilter;
  readonly fullState: boolean;
  readonly stateAfter: StateAfter | undefined;
  readonly allSections: boolean;
  /** By what the client's token is known where it says more than `since`: which members it has is remembered by that. */
  readonly token?: string;
}

/** Fixes what an answer is computed from: where it begins and where it ends. */
@Injectable()
export class SyncContexts {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    readonly moments: StreamMoments,
    private readonly lazyMembers: LazyMembers,
    private readonly signedEvents: SignedEvents,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Opens the context of one answer. */
  async open(user: ActiveUser, request: SyncRequest): Promise<SyncContext> {
    const { views } = this;
    const { since, requester, token } = request;
    const { userId } = requester;
    const until = await this.moments.moment(since, (roomId) => user.isIn(roomId), user);
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
      hasOwnFacts,
      members: this.lazyMembers.open(
        requester,
        token ?? (since === undefined ? undefined : formatStreamMoment(views.history, since)),
        request.filter.lazyLoadMembers,
      ),
      signed: request.filter.signedEvents ? this.signedEvents : undefined,
      mayHaveMessages: since === undefined || user.mayHaveMessagesSince(since.inbox ?? since.position),
      accountData: once(readAccountData),
      keyCounts: once(() => readKeyCounts(views, requester)),
      reader: once(() => followerOf(views, requester)),
      turn: new Turn(1),
    };
  }
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= read());
}
