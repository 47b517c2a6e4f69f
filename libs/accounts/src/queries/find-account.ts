import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { type AccountRow, ACCOUNTS } from '../projections/accounts.projector.js';

/** What the views know of a local account, undefined where there is none. */
export function findAccount(views: Pick<Views, 'get'>, userId: UserId): Promise<AccountRow | undefined> {
  return ACCOUNTS.get(views, [userId]);
}
