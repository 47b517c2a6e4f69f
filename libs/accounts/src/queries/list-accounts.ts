import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { AccountRow } from '../projections/accounts.projector.js';

/** A local account in a list. */
export interface ListedAccount extends AccountRow {
  readonly user_id: UserId;
}

/** The local accounts in the order of their user ids, those behind `after` (exclusive), at most `limit`. */
export async function listAccounts(
  views: Pick<Views, 'scan'>,
  { after, limit }: { readonly after?: UserId; readonly limit: number },
): Promise<ListedAccount[]> {
  const rows = await views.scan('accounts', { ...(after === undefined ? {} : { after: [after] }), limit });
  return rows.map(({ key, value }) => ({ user_id: key[0] as UserId, ...(JSON.parse(value) as AccountRow) }));
}
