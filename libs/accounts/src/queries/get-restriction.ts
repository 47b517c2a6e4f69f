import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { checkNoAdministrator } from '../check-no-administrator.js';
import type { Restriction } from '../facts/account-facts.js';
import { findAccount } from './find-account.js';

/** Whether an account is locked, or suspended, for who may change that: throws as `RestrictAccount` does to administrators. */
export async function getRestriction(
  views: Pick<Views, 'get'>,
  userId: UserId,
  restriction: Restriction,
): Promise<boolean> {
  const account = await findAccount(views, userId);
  if (account === undefined || account.deactivated === true) throw new MatrixError('M_NOT_FOUND', 'No such user');
  checkNoAdministrator(account);
  return account[restriction] === true;
}
