import { type DeviceId, parseDeviceId } from '#kernel/ids';
import type { DeviceAdded, OAuthSession, TokensRefreshed } from '../facts/session-facts.js';
import {
  findTokenFamily,
  hashSecret,
  newAccessToken,
  newDeviceId,
  newRefreshToken,
  newTokenFamily,
} from '../credentials/secrets.js';

/** How long an access token lives that can be refreshed. Others never end by themselves. */
const ACCESS_TOKEN_LIFETIME_MS = 60 * 60 * 1000;

/** What a client may ask for of its new session (POST /login, POST /register). */
export interface SessionOptions {
  readonly deviceId?: string;
  readonly initialDeviceDisplayName?: string;
  /** Whether the client can refresh tokens. */
  readonly refreshToken?: boolean;
  /** The application that gets it by the OAuth 2.0 API: its tokens can be refreshed. */
  readonly oauth?: Omit<OAuthSession, 'family'>;
}

/** The secrets of a session, as the client is told them: the only place where they are not hashed. */
export interface IssuedTokens {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly expires_in_ms?: number;
}

/** New tokens for a login at `now`: the fact for the log and what the client is told. Throws M_INVALID_PARAM. */
export function issueTokens(
  options: SessionOptions,
  now: number,
): { readonly fact: DeviceAdded; readonly deviceId: DeviceId; readonly tokens: IssuedTokens } {
  const deviceId = parseDeviceId(options.deviceId ?? newDeviceId());
  const accessToken = newAccessToken();
  const { oauth } = options;
  const family = oauth === undefined ? undefined : newTokenFamily();
  const isRefreshable = options.refreshToken === true || family !== undefined;
  const refreshToken = isRefreshable ? newRefreshToken(family) : undefined;
  const name = options.initialDeviceDisplayName ?? undefined; // Some clients send null.
  const fact: DeviceAdded = {
    device_id: deviceId,
    token_hash: hashSecret(accessToken),
    ...(refreshToken === undefined
      ? {}
      : { refresh_hash: hashSecret(refreshToken), expires_at: now + ACCESS_TOKEN_LIFETIME_MS }),
    ...(name === undefined ? {} : { display_name: name }),
    ...(oauth === undefined || family === undefined ? {} : { oauth: { ...oauth, family: hashSecret(family) } }),
  };
  return { fact, deviceId, tokens: { access_token: accessToken, ...refreshable(refreshToken) } };
}

/** New tokens in exchange for a refresh token at `now`. */
export function reissueTokens(
  used: string,
  now: number,
): { readonly fact: Omit<TokensRefreshed, 'device_id'>; readonly tokens: IssuedTokens } {
  const accessToken = newAccessToken();
  const refreshToken = newRefreshToken(findTokenFamily(used));
  return {
    fact: {
      used: hashSecret(used),
      token_hash: hashSecret(accessToken),
      refresh_hash: hashSecret(refreshToken),
      expires_at: now + ACCESS_TOKEN_LIFETIME_MS,
    },
    tokens: { access_token: accessToken, ...refreshable(refreshToken) },
  };
}

function refreshable(refreshToken: string | undefined): Omit<IssuedTokens, 'access_token'> {
  return refreshToken === undefined ? {} : { refresh_token: refreshToken, expires_in_ms: ACCESS_TOKEN_LIFETIME_MS };
}
