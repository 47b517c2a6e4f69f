import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { Accounts, BY_SERVER } from '../accounts.js';
import { findTokenFamily, hashSecret } from '../credentials/secrets.js';
import type { Account } from '../decide/account.js';
import { decideDeviceRemoval, decideRefresh } from '../decide/decide-sessions.js';
import { validPairs } from '../decide/device-tokens.js';
import { REFRESH_TOKENS } from '../projections/devices.projector.js';
import { type IssuedTokens, reissueTokens } from '../sessions/issue-tokens.js';
import { KnownTokens } from '../sessions/known-tokens.js';
import { TokenRights } from '../sessions/token-rights.js';

export interface Refreshed extends IssuedTokens {
  /** Of the session of an application: what it may. */
  readonly scope?: string;
}

/**
 * Exchanges a refresh token for new tokens (POST /refresh, or the refresh token grant of the OAuth 2.0 API, where `client` is the sha256
 * of the application's id). The old ones stay good until one of the new ones is used. Throws as `KnownTokens.getRow`, and M_UNKNOWN_TOKEN
 * where a service opened the session that may not act as its user any more, or it is another client's. A session of which a token
 * comes that is void already ends: there are two who have its tokens (RFC 9700, section 4.14.2).
 */
export class RefreshSession extends Command<Refreshed> {
  constructor(
    readonly refreshToken: string,
    readonly requestId?: string,
    readonly client?: string,
  ) {
    super();
  }
}

@CommandHandler(RefreshSession)
export class RefreshSessionHandler implements ICommandHandler<RefreshSession> {
  constructor(
    private readonly accounts: Accounts,
    private readonly tokens: KnownTokens,
    private readonly rights: TokenRights,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ refreshToken, requestId, client }: RefreshSession): Promise<Refreshed> {
    try {
      return await this.#refresh(refreshToken, requestId, client);
    } catch (error) {
      const family = findTokenFamily(refreshToken);
      const isUnknown = error instanceof MatrixError && error.errcode === 'M_UNKNOWN_TOKEN';
      if (isUnknown && family !== undefined) await this.#endReplayed(refreshToken, family, requestId);
      throw error;
    }
  }

  async #refresh(refreshToken: string, requestId: string | undefined, client?: string): Promise<Refreshed> {
    const { user, device } = await this.tokens.getRow(REFRESH_TOKENS, hashSecret(refreshToken));
    const { fact, tokens } = reissueTokens(refreshToken, this.clock.now());
    let scope: string | undefined;
    const decide = (account: Account): ReturnType<typeof decideRefresh> => {
      const { service: openedBy, oauth } = account.devices.get(device) ?? {};
      const isTheirs = oauth?.client === client && this.rights.isOpen({ userId: user, openedBy });
      if (!isTheirs) throw new MatrixError('M_UNKNOWN_TOKEN');
      scope = oauth?.scope;
      return decideRefresh(account, fact);
    };
    await this.accounts.change(user, decide, { actor: user, device, correlation: requestId });
    return scope === undefined ? tokens : { ...tokens, scope };
  }

  /** Nothing where the token is good, and came from another client; or the session has ended. */
  async #endReplayed(refreshToken: string, family: string, requestId: string | undefined): Promise<void> {
    const row = await this.tokens.getRow(REFRESH_TOKENS, hashSecret(family)).catch((error: unknown) => {
      if (error instanceof MatrixError && !mayPass(error)) return undefined;
      throw error;
    });
    if (row === undefined) return;
    const used = hashSecret(refreshToken);
    const decide = (account: Account): ReturnType<typeof decideDeviceRemoval> => {
      const device = account.devices.get(row.device);
      const isGood = device === undefined || validPairs(device).some(({ refresh_hash: good }) => good === used);
      return isGood ? [] : decideDeviceRemoval(account, [row.device], 'token-replayed');
    };
    await this.accounts.change(row.user, decide, { ...BY_SERVER, correlation: requestId });
  }
}
