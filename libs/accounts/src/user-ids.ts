import { randomBytes } from 'node:crypto';
import { foldLocalpart, foldUserId, isUserId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';

const LOCALPART = /^[a-z0-9._=/+-]+$/;

/**
 * The user id for a new account: capitals become small letters, everything else must follow today's grammar (appendices,
 * "User Identifiers"), so that no two accounts of this server differ in case alone. Throws M_INVALID_USERNAME.
 */
export function newUserId(username: string, serverName: ServerName): UserId {
  const localpart = foldLocalpart(username);
  const userId = `@${localpart}:${serverName}`;
  if (!LOCALPART.test(localpart)) {
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
  if (!isUserId(whole) || serverNameOf(whole) !== serverName) return undefined;
  return foldUserId(whole, serverName);
}
