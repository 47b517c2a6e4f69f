import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { MatrixError } from '#kernel/matrix-error';
import type { Account } from '../decide/account.js';
import { BeginSession, type LoggedIn } from '../sessions/begin-session.js';
import type { SessionOptions } from '../sessions/issue-tokens.js';
import { PasswordCheck, type PasswordClaim } from '../sessions/password-check.js';

/**
 * Opens a session by password. Throws M_FORBIDDEN where the account is unknown, gone, or the password wrong, all alike and
 * after the same time; M_INVALID_PARAM for a bad device id, or one that is the name of a key of theirs.
 */
export class LogIn extends Command<LoggedIn> {
  constructor(
    readonly claim: PasswordClaim,
    readonly options: SessionOptions,
    readonly requestId?: string,
  ) {
    super();
  }
}

@CommandHandler(LogIn)
export class LogInHandler implements ICommandHandler<LogIn> {
  constructor(
    private readonly passwords: PasswordCheck,
    private readonly sessions: BeginSession,
  ) {}

  async execute({ claim, options, requestId }: LogIn): Promise<LoggedIn> {
    const verified = await this.passwords.verify(claim);
    const { userId } = claim;
    if (verified === undefined || userId === undefined) throw wrongPassword();
    // The password may have been changed, or the account closed, while the old one was verified.
    const check = (account: Account): void => {
      if (account.passwordHash !== verified) throw wrongPassword();
    };
    return this.sessions.begin({ userId, options, check, requestId });
  }
}

const wrongPassword = (): MatrixError => new MatrixError('M_FORBIDDEN', 'Unknown user or wrong password');
