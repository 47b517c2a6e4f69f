import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import { CLOCK, type Clock } from '#kernel/clock';
import { localpartOf, type UserId } from '#kernel/ids';
import { Accounts } from '../accounts.js';
import { hashSecret, newLoginToken } from '../credentials/secrets.js';
import type { Account } from '../decide/account.js';
import type { UpstreamSession } from '../facts/login-facts.js';
import { decideTokenIssue } from '../decide/decide-login-tokens.js';
import { checkNotEnded } from '../sessions/upstream-ends.js';

/**
 * Makes a token by which one session of a user may be opened within its time (`m.login.token`), and answers it. The log has its hash alone.
 * Throws M_NOT_FOUND, M_USER_DEACTIVATED, and M_FORBIDDEN where they have logged out at the provider since.
 */
export class IssueLoginToken extends Command<string> {
  constructor(
    readonly userId: UserId,
    readonly lifetimeMs: number,
    readonly cause: Cause,
    /** Of whoever has just shown there who they are. */
    readonly upstream?: UpstreamSession,
  ) {
    super();
  }
}

@CommandHandler(IssueLoginToken)
export class IssueLoginTokenHandler implements ICommandHandler<IssueLoginToken> {
  constructor(
    private readonly accounts: Accounts,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ userId, lifetimeMs, cause, upstream }: IssueLoginToken): Promise<string> {
    const token = newLoginToken(localpartOf(userId));
    const issued = {
      token_hash: hashSecret(token),
      expires_at: this.clock.now() + lifetimeMs,
      ...(upstream === undefined ? {} : { upstream }),
    };
    const decide = (account: Account): ReturnType<typeof decideTokenIssue> => {
      checkNotEnded(account, upstream);
      return decideTokenIssue(account, issued);
    };
    await this.accounts.change(userId, decide, cause);
    return token;
  }
}
