import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { Accounts } from '../accounts.js';
import { hashSecret } from '../credentials/secrets.js';
import { decideRefresh } from '../decide/decide-sessions.js';
import { REFRESH_TOKENS } from '../projections/devices.projector.js';
import { type IssuedTokens, reissueTokens } from '../sessions/issue-tokens.js';

/**
 * Exchanges a refresh token for new tokens (POST /refresh). The old ones stay good until one of the new ones is used. Throws
 * M_UNKNOWN_TOKEN.
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
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ refreshToken, requestId }: RefreshSession): Promise<IssuedTokens> {
    const row = await REFRESH_TOKENS.get(this.views, [hashSecret(refreshToken)]);
    if (row === undefined) throw new MatrixError('M_UNKNOWN_TOKEN', 'Unrecognised refresh token');
    const { user, device } = row;
    const { fact, tokens } = reissueTokens(refreshToken, this.clock.now());
    await this.accounts.change(user, (account) => decideRefresh(account, fact), {
      actor: user,
      device,
      correlation: requestId,
    });
    return tokens;
  }
}
