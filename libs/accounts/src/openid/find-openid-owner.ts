import type { Views } from '#projections/views';
import { DEVICES } from '../projections/devices.projector.js';
import { findAccount } from '../queries/find-account.js';
import type { OpenIdOwner, OpenIdTokens } from './openid-tokens.js';

/** To whom a token was issued by this server; undefined where it was not, or has ended, or the session in which it was asked for has, or the account is gone, locked or suspended. */
export async function findOpenIdOwner(
  tokens: OpenIdTokens,
  views: Pick<Views, 'get'>,
  token: string,
): Promise<OpenIdOwner | undefined> {
  const owner = tokens.findOwner(token);
  if (owner === undefined) return undefined;
  const { userId, deviceId } = owner;
  const account = await findAccount(views, userId);
  const { deactivated, locked, suspended } = account ?? { deactivated: true };
  if (deactivated === true || locked === true || suspended === true) return undefined;
  return deviceId === '' || (await DEVICES.has(views, [userId, deviceId])) ? owner : undefined;
}
