import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { type AccountRow, ACCOUNTS } from '../projections/accounts.projector.js';

/** A local account in a list. */
export interface ListedAccount extends AccountRow {
  readonly user_id: UserId;
}

/** The local accounts in the order of their user ids, those behind `after` (exclusive), at most `limit`. */
export async function listAccounts(
  views: Pick<Views, 'scan'>,
  { after, limit }: { readonly after?: UserId; readonly limit: number },
): Promise<ListedAccount[]> {
  const rows = await ACCOUNTS.scan(views, { ...(after === undefined ? {} : { after: [after] }), limit });
  return rows.map(({ key: [user_id], value }) => ({ user_id, ...value }));
}
