import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { AccountRow } from '../projections/accounts.projector.js';

/** What the views know of a local account, undefined where there is none. */
export async function findAccount(views: Pick<Views, 'get'>, userId: UserId): Promise<AccountRow | undefined> {
  const text = await views.get('accounts', [userId]);
  return text === undefined ? undefined : (JSON.parse(text) as AccountRow);
}
