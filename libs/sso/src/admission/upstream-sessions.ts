import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Accounts } from '#accounts/accounts';
import { EndUpstreamSessions } from '#accounts/commands/end-upstream-sessions';
import type { UpstreamSession } from '#accounts/facts/login-facts';
import { hasEndedSince } from '#accounts/sessions/upstream-ends';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { Shown } from '../attempts/attempt.js';

/** What of this server ends too where somebody logs out at a provider, and is no session of the API. */
export type EndsToo = (userId: UserId, of: UpstreamSession) => Promise<void>;

/** What comes of sessions at providers here, and ends with them. */
@Injectable()
export class UpstreamSessions {
  readonly #others: EndsToo[] = [];

  constructor(
    private readonly accounts: Accounts,
    private readonly commands: CommandBus,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  now(): number {
    return this.clock.now();
  }

  /** Has something of another library end with them. */
  add(ends: EndsToo): void {
    this.#others.push(ends);
  }

  /** Notes whose a session there is: of its end the provider may say no more than which it was. */
  async begin(userId: UserId, { provider, sid_hash }: UpstreamSession, requestId: string): Promise<void> {
    if (sid_hash === undefined) return;
    const begun = { type: 'upstream-session-begun', data: { provider, sid_hash } } as const;
    await this.accounts.change(userId, () => [begun], { actor: userId, correlation: requestId });
  }

  /** Ends what came of them: of one, or of all that somebody has at a provider. */
  async end(userId: UserId, of: UpstreamSession): Promise<void> {
    // First what begins others.
    for (const end of this.#others) await end(userId, of);
    await this.commands.execute(new EndUpstreamSessions(userId, of));
  }

  /** Whether somebody has logged out since they showed who they are. */
  async haveEnded({ userId, upstream, at }: Shown): Promise<boolean> {
    return hasEndedSince(await this.accounts.load(userId), upstream, at);
  }
}
