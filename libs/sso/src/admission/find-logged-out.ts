import { Inject, Injectable } from '@nestjs/common';
import { ExternalIds } from '#accounts/external-ids';
import { findUpstreamUser } from '#accounts/queries/upstream-sessions';
import { UPSTREAM_SESSION_OWNERS } from '#accounts/projections/upstream-sessions.projector';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { awaitShown } from '#projections/await-shown';
import { VIEWS, type Views } from '#projections/views';
import type { LoggedOut } from '../upstream/read-logout-token.js';
import { EarlyLogouts } from './early-logouts.js';
import { UpstreamSessions } from './upstream-sessions.js';

/** Finds whose sessions end by what a provider says of a log-out. */
@Injectable()
export class FindLoggedOut {
  constructor(
    private readonly externalIds: ExternalIds,
    private readonly sessions: UpstreamSessions,
    private readonly early: EarlyLogouts,
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'position' | 'whenProcessed'>,
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'head'>,
  ) {}

  /**
   * Whose the account is here, and who has begun such sessions though it is theirs no more. Nobody where there is nobody: then a log-in that is under way comes to
   * nothing. Throws ViewsUnavailable where only the views could say and they do not get to where the log is, M_LIMIT_EXCEEDED.
   */
  async find(provider: string, loggedOut: LoggedOut): Promise<ReadonlySet<UserId>> {
    const found = await this.#look(provider, loggedOut);
    if (found.size > 0) return found;
    const { subject, sidHash } = loggedOut;
    if (sidHash !== undefined) await this.early.noteSession(provider, sidHash);
    else if (subject !== undefined) await this.early.noteAccount(provider, this.sessions.nameOf({ provider, subject }));
    return this.#look(provider, loggedOut);
  }

  async #look(provider: string, loggedOut: LoggedOut): Promise<ReadonlySet<UserId>> {
    const { subject, sidHash } = loggedOut;
    const owner = subject === undefined ? undefined : await this.externalIds.find({ provider, subject });
    const users = new Set<UserId>(owner === undefined ? [] : [owner]);
    // Whom the log knows needs no view, which may be paused.
    if (owner === undefined)
      await awaitShown(this.views, UPSTREAM_SESSION_OWNERS.name, await this.store.head(), 'whose sessions are');
    const names = [sidHash, subject === undefined ? undefined : this.sessions.nameOf({ provider, subject })];
    for (const name of names) {
      const userId = name === undefined ? undefined : await findUpstreamUser(this.views, provider, name);
      if (userId !== undefined) users.add(userId);
    }
    return users;
  }
}
