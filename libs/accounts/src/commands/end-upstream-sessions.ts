import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { UserId } from '#kernel/ids';
import { Accounts, BY_SERVER } from '../accounts.js';
import { decideDeviceRemoval } from '../decide/decide-sessions.js';
import type { UpstreamSession } from '../facts/login-facts.js';

/**
 * Ends the sessions for which a user showed at a provider of accounts who they are: those of one session there, or all of them. Nothing where
 * there are none.
 */
export class EndUpstreamSessions extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly of: UpstreamSession,
  ) {
    super();
  }
}

@CommandHandler(EndUpstreamSessions)
export class EndUpstreamSessionsHandler implements ICommandHandler<EndUpstreamSessions> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ userId, of: { provider, sid_hash: sidHash } }: EndUpstreamSessions): Promise<void> {
    await this.accounts.change(
      userId,
      (account) => {
        const ended = [...account.devices].filter(
          ([, { upstream }]) =>
            upstream?.provider === provider && (sidHash === undefined || upstream.sid_hash === sidHash),
        );
        return decideDeviceRemoval(
          account,
          ended.map(([id]) => id),
          'logout',
        );
      },
      BY_SERVER,
    );
  }
}
