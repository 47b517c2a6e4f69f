import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { UserId } from '#kernel/ids';
import { Accounts, BY_SERVER } from '../accounts.js';
import { decideUpstreamEnd } from '../decide/upstream-sessions.js';
import type { UpstreamLogout } from '../facts/login-facts.js';

/**
 * Ends the sessions for which a user showed at a provider of accounts who they are, and what would begin some: those of one session there, or
 * all of them.
 */
export class EndUpstreamSessions extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly of: UpstreamLogout,
  ) {
    super();
  }
}

@CommandHandler(EndUpstreamSessions)
export class EndUpstreamSessionsHandler implements ICommandHandler<EndUpstreamSessions> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ userId, of }: EndUpstreamSessions): Promise<void> {
    await this.accounts.change(userId, (account) => decideUpstreamEnd(account, of), BY_SERVER);
  }
}
