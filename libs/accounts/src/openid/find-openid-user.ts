import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { DEVICES } from '../projections/devices.projector.js';
import { findAccount } from '../queries/find-account.js';
import type { OpenIdTokens } from './openid-tokens.js';

/** Whom a token was issued for by this server; undefined where it was not, or has ended, or the session in which it was asked for has, or the account is gone. */
export async function findOpenIdUser(
  tokens: OpenIdTokens,
  views: Pick<Views, 'get'>,
  token: string,
): Promise<UserId | undefined> {
  const owner = tokens.findOwner(token);
  if (owner === undefined) return undefined;
  const { userId, deviceId } = owner;
  const account = await findAccount(views, userId);
  if (account === undefined || account.deactivated === true) return undefined;
  return deviceId === '' || (await DEVICES.has(views, [userId, deviceId])) ? userId : undefined;
}
