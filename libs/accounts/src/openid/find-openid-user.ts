import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { findAccount } from '../queries/find-account.js';
import type { OpenIdTokens } from './openid-tokens.js';

/** Whom a token was issued for by this server; undefined where it was not, or has ended, or the account is gone. */
export async function findOpenIdUser(
  tokens: OpenIdTokens,
  views: Pick<Views, 'get'>,
  token: string,
): Promise<UserId | undefined> {
  const userId = tokens.findUser(token);
  const account = userId && (await findAccount(views, userId));
  return account === undefined || account.deactivated === true ? undefined : userId;
}
