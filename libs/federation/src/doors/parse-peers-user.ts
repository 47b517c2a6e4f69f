import { isUserId, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { tellValue } from '#kernel/tell-value';

/** A user id as another server spells it: never another text. Throws M_INVALID_PARAM. */
export function parsePeersUser(text: unknown): UserId {
  if (typeof text === 'string' && isUserId(text)) return text;
  throw new MatrixError('M_INVALID_PARAM', `Not a user ID: ${tellValue(text).slice(0, 80)}`);
}
