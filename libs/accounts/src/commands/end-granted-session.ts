import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { UserId } from '#kernel/ids';
import { Accounts, BY_SERVER } from '../accounts.js';
import { decideDeviceRemoval } from '../decide/decide-sessions.js';

/**
 * Ends the session that an application was given for a code, by the sha256 of that: somebody else has come with it (RFC 6749, section
 * 4.1.2). Nothing where it has ended.
 */
export class EndGrantedSession extends Command<void> {
  constructor(
    readonly userId: UserId,
    readonly grant: string,
  ) {
    super();
  }
}

@CommandHandler(EndGrantedSession)
export class EndGrantedSessionHandler implements ICommandHandler<EndGrantedSession> {
  constructor(private readonly accounts: Accounts) {}

  async execute({ userId, grant }: EndGrantedSession): Promise<void> {
    await this.accounts.change(
      userId,
      (account) => {
        const opened = [...account.devices].filter(([, { oauth }]) => oauth?.grant === grant).map(([id]) => id);
        return decideDeviceRemoval(account, opened, 'token-replayed');
      },
      BY_SERVER,
    );
  }
}
