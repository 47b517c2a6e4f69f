import { randomBytes } from 'node:crypto';
import { type ServerName, type UserId, isUserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';

const LOCALPART = /^[a-z0-9._=/+-]+$/;

/**
 * The user id for a new account: capitals become small letters, everything else must follow today's grammar (appendices,
 * "User Identifiers"), so that no two accounts of this server differ in case alone. Throws M_INVALID_USERNAME.
 */
export function newUserId(username: string, serverName: ServerName): UserId {
  const userId = `@${username.toLowerCase()}:${serverName}`;
  if (!LOCALPART.test(username.toLowerCase())) {
    throw new MatrixError(
      'M_INVALID_USERNAME',
      "A user name consists of the letters a-z, digits and the characters '._=/+-'",
    );
  }
  if (!isUserId(userId)) throw new MatrixError('M_INVALID_USERNAME', 'The user name is too long');
  return userId;
}

/** A user name for those who asked for none: 60 random bits. */
export function randomUsername(): string {
  return `u${BigInt(`0x${randomBytes(8).toString('hex')}`)
    .toString(36)
    .slice(0, 12)}`;
}

/**
 * The account that a text names in a login: a whole user id or its localpart, in any case (accounts of this server have none
 * of their own). Undefined where it cannot be an account of this server.
 */
export function findLocalUserId(text: string, serverName: ServerName): UserId | undefined {
  const whole = text.startsWith('@') ? text : `@${text}:${serverName}`;
  const colon = whole.indexOf(':');
  if (colon < 0 || whole.slice(colon + 1) !== serverName) return undefined;
  const userId = whole.slice(0, colon).toLowerCase() + whole.slice(colon);
  return isUserId(userId) ? userId : undefined;
}

/** API v1: user ids are case-insensitive, so one of this server is meant in small letters (specification of 2015, "Users"). */
export function foldUserId(userId: UserId, serverName: ServerName): UserId {
  return findLocalUserId(userId, serverName) ?? userId;
}
