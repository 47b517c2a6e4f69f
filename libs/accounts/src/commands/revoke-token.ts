import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { Accounts } from '../accounts.js';
import { hashSecret } from '../credentials/secrets.js';
import type { Account } from '../decide/account.js';
import { decideDeviceRemoval } from '../decide/decide-sessions.js';
import { validPairs } from '../decide/device-tokens.js';
import { REFRESH_TOKENS, type RefreshTokenRow, TOKENS } from '../projections/devices.projector.js';
import { KnownTokens } from '../sessions/known-tokens.js';

/**
 * Ends the session that a token is of, an access token or a refresh token: whoever has it may do that, and that is all that is known of
 * them (client-server API, "Token revocation"). Nothing where there is none.
 */
export class RevokeToken extends Command<void> {
  constructor(
    readonly token: string,
    readonly requestId?: string,
  ) {
    super();
  }
}

@CommandHandler(RevokeToken)
export class RevokeTokenHandler implements ICommandHandler<RevokeToken> {
  constructor(
    private readonly accounts: Accounts,
    private readonly tokens: KnownTokens,
  ) {}

  async execute({ token, requestId }: RevokeToken): Promise<void> {
    const hash = hashSecret(token);
    const row = (await this.#find(TOKENS, hash)) ?? (await this.#find(REFRESH_TOKENS, hash));
    if (row === undefined) return;
    const decide = (account: Account): ReturnType<typeof decideDeviceRemoval> => {
      const device = account.devices.get(row.device);
      const pairs = device === undefined ? [] : validPairs(device);
      const isOfSession = pairs.some((pair) => pair.token_hash === hash || pair.refresh_hash === hash);
      return isOfSession ? decideDeviceRemoval(account, [row.device], 'logout') : [];
    };
    await this.accounts.change(row.user, decide, { actor: row.user, device: row.device, correlation: requestId });
  }

  async #find(collection: typeof TOKENS | typeof REFRESH_TOKENS, hash: string): Promise<RefreshTokenRow | undefined> {
    try {
      return await this.tokens.getRow<RefreshTokenRow>(collection, hash);
    } catch (error) {
      if (error instanceof MatrixError && !mayPass(error)) return undefined;
      throw error;
    }
  }
}
