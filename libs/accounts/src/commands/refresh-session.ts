import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import { Accounts } from '../accounts.js';
import { hashSecret } from '../credentials/secrets.js';
import type { Account } from '../decide/account.js';
import { decideRefresh } from '../decide/decide-sessions.js';
import { REFRESH_TOKENS } from '../projections/devices.projector.js';
import { type IssuedTokens, reissueTokens } from '../sessions/issue-tokens.js';
import { KnownTokens } from '../sessions/known-tokens.js';

/**
 * Exchanges a refresh token for new tokens (POST /refresh). The old ones stay good until one of the new ones is used. Throws
 * as `KnownTokens.getRow`, and M_UNKNOWN_TOKEN where a service opened the session that may not act as its user any more.
 */
export class RefreshSession extends Command<IssuedTokens> {
  constructor(
    readonly refreshToken: string,
    readonly requestId?: string,
  ) {
    super();
  }
}

@CommandHandler(RefreshSession)
export class RefreshSessionHandler implements ICommandHandler<RefreshSession> {
  constructor(
    private readonly accounts: Accounts,
    private readonly tokens: KnownTokens,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ refreshToken, requestId }: RefreshSession): Promise<IssuedTokens> {
    const { user, device } = await this.tokens.getRow(REFRESH_TOKENS, hashSecret(refreshToken));
    const { fact, tokens } = reissueTokens(refreshToken, this.clock.now());
    const decide = (account: Account): ReturnType<typeof decideRefresh> => {
      const openedBy = account.devices.get(device)?.service;
      if (!this.tokens.isOpen({ userId: user, openedBy })) throw new MatrixError('M_UNKNOWN_TOKEN');
      return decideRefresh(account, fact);
    };
    await this.accounts.change(user, decide, { actor: user, device, correlation: requestId });
    return tokens;
  }
}
