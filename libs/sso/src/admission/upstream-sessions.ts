import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Accounts } from '#accounts/accounts';
import { EndUpstreamSessions } from '#accounts/commands/end-upstream-sessions';
import { type ExternalId, externalIdHash } from '#accounts/facts/external-id-facts';
import type { UpstreamLogout, UpstreamSession } from '#accounts/facts/login-facts';
import { hasEndedSince } from '#accounts/sessions/upstream-ends';
import { KeyedNames } from '#event-store/keyed-names';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { Shown } from '../attempts/attempt.js';
import { EarlyLogouts } from './early-logouts.js';

/** What of this server ends too where somebody logs out at a provider, and is no session of the API. */
export type EndsToo = (userId: UserId, of: UpstreamLogout) => Promise<void>;

/** What comes of sessions at providers here, and ends with them. */
@Injectable()
export class UpstreamSessions {
  readonly #others: EndsToo[] = [];

  constructor(
    private readonly accounts: Accounts,
    private readonly commands: CommandBus,
    private readonly early: EarlyLogouts,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly names: KeyedNames,
  ) {}

  now(): number {
    return this.clock.now();
  }

  /** Has something of another library end with them. */
  add(ends: EndsToo): void {
    this.#others.push(ends);
  }

  /**
   * Notes who has shown in a session there who they are, and by which account elsewhere: of its end the provider may say no more than the one or
   * the other, and the account may not be linked with them any more by then.
   */
  async begin(
    userId: UserId,
    id: ExternalId,
    { provider, sid_hash }: UpstreamSession,
    requestId: string,
  ): Promise<void> {
    const names = [this.nameOf(id), ...(sid_hash === undefined ? [] : [sid_hash])];
    const begun = names.map(
      (name) => ({ type: 'upstream-session-begun', data: { provider, sid_hash: name } }) as const,
    );
    await this.accounts.change(userId, () => begun, { actor: userId, correlation: requestId });
  }

  /** What stands in the log for all sessions of an account elsewhere: nobody but this server can tell whose it is. With another signing key it is called the same. */
  nameOf(id: ExternalId): string {
    return this.names.nameOf('sessions of an account elsewhere', externalIdHash(id));
  }

  /** Ends what came of them: of one, or of all that somebody has at a provider. Once it is noted nothing begins by a log-in of before: `checkNotEnded`. */
  async end(userId: UserId, of: UpstreamLogout): Promise<void> {
    await this.commands.execute(new EndUpstreamSessions(userId, of));
    for (const end of this.#others) await end(userId, of);
  }

  /** Whether somebody has logged out since they showed who they are. `id`: where it was not known before whose it is here. */
  async haveEnded({ userId, upstream }: Pick<Shown, 'userId' | 'upstream'>, id?: ExternalId): Promise<boolean> {
    if (hasEndedSince(await this.accounts.load(userId), upstream)) return true;
    return id !== undefined && this.early.have(upstream, this.nameOf(id));
  }
}
