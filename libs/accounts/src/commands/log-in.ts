import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import type { Account } from '../decide/account.js';
import { decideLoginTokenUse } from '../decide/decide-login-tokens.js';
import type { AccountFact } from '../facts/account-facts.js';
import type { UpstreamSession } from '../facts/login-facts.js';
import type { Learnt } from '../interactive-auth/auth-sessions.js';
import { BeginSession, type LoggedIn } from '../sessions/begin-session.js';
import type { SessionOptions } from '../sessions/issue-tokens.js';

/**
 * Opens a session for who has gone through the stages of a log-in, by what was learnt of them. Throws M_FORBIDDEN where the account is gone
 * meanwhile, its password is another, or a login token of it was used or is over: that it is used, and the session, are one write; M_USER_LOCKED; M_INVALID_PARAM for a bad device id, M_FORBIDDEN for one that is the name of a key of theirs.
 */
export class LogIn extends Command<LoggedIn> {
  constructor(
    readonly learnt: Learnt,
    readonly options: SessionOptions,
    readonly requestId?: string,
  ) {
    super();
  }
}

@CommandHandler(LogIn)
export class LogInHandler implements ICommandHandler<LogIn> {
  constructor(
    private readonly sessions: BeginSession,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ learnt, options, requestId }: LogIn): Promise<LoggedIn> {
    const { userId, passwordHash, loginTokenHash } = learnt;
    if (userId === undefined) throw new Error('the stages of a log-in have not said whose account it is');
    // The password may have been changed, or the account closed, while the old one was verified.
    const check = (account: Account): void => {
      if (passwordHash !== undefined && account.passwordHash !== passwordHash) throw unknownUser();
    };
    const besides = (account: Account): AccountFact[] =>
      loginTokenHash === undefined ? [] : decideLoginTokenUse(account, loginTokenHash, this.clock.now());
    const upstream = (account: Account): UpstreamSession | undefined =>
      learnt.upstream ?? account.loginTokens?.find((one) => one.token_hash === loginTokenHash)?.upstream;
    return this.sessions.begin({ userId, options, check, upstream, besides, requestId });
  }
}

const unknownUser = (): MatrixError => new MatrixError('M_FORBIDDEN', 'Unknown user or wrong password');
