import { hash, randomBytes } from 'node:crypto';

/** A secret as it is kept: sha256 in hex. Enough for tokens, which are random; passwords need `PasswordHasher`. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}

const random = (): string => randomBytes(32).toString('base64url');

const ACCESS_TOKEN = 'annals_at_';

/** A new access token: 256 random bits behind a mark that secret scanners can look for. */
export const newAccessToken = (): string => `${ACCESS_TOKEN}${random()}`;

/** Whether a token looks like one of this server's. */
export const isOwnAccessToken = (token: string): boolean => token.startsWith(ACCESS_TOKEN);

/** A new refresh token; of a session whose refresh tokens have something in common, with that. */
export const newRefreshToken = (family?: string): string =>
  family === undefined ? `annals_rt_${random()}` : `annals_rt_${family}.${random()}`;

/** A new secret for all refresh tokens of a session to have in common, so that an old one is known as one of that session. */
export const newTokenFamily = (): string => randomBytes(16).toString('base64url');

/** What a refresh token has in common with the others of its session; undefined where it has nothing. */
export function findTokenFamily(refreshToken: string): string | undefined {
  return /^annals_rt_([\w-]{22})\.[\w-]{43}$/.exec(refreshToken)?.[1];
}

/** A new code for which an application is given a session. */
export const newAuthorisationCode = (): string => `annals_ac_${random()}`;

const LOGIN_TOKEN = /^annals_lt_([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$/;

/** A new login token of a user, by its localpart: such a token must say whose it is (client-server API, "Token-based"). */
export function newLoginToken(localpart: string): string {
  return `annals_lt_${Buffer.from(localpart).toString('base64url')}.${random()}`;
}

/** The localpart in a login token; undefined where it is none. */
export function localpartOfLoginToken(token: string): string | undefined {
  const encoded = LOGIN_TOKEN.exec(token)?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64url').toString('utf8');
}

/**
 * A new registration token, of the opaque identifier grammar and so many characters, each of 6 random bits: of more than 128, unless told.
 * None begins with a hyphen: `annals registration-tokens` would take it for an option.
 */
export function newRegistrationToken(length = 22): string {
  for (;;) {
    const token = randomBytes(length).toString('base64url').slice(0, length);
    if (!token.startsWith('-')) return token;
  }
}

const DEVICE_ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** A device id as clients are used to see them: ten capital letters. */
export function newDeviceId(): string {
  // 26 does not divide 256: the bias is of no use to anyone, a device id is no secret.
  return Array.from(randomBytes(10), (byte) => DEVICE_ID_LETTERS[byte % DEVICE_ID_LETTERS.length]).join('');
}
