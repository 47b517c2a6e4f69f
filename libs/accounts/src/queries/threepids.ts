import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { THREEPID_OWNERS, THREEPIDS, type ThreepidRow } from '../projections/threepids.projector.js';
import type { Threepid } from '../threepids/threepid.js';

/** An identifier of an account, in the shape of GET /account/3pid. */
export interface AccountThreepid extends Threepid, ThreepidRow {}

/** The account that has an identifier, as the views know; undefined where none does. */
export function findByThreepid(views: Pick<Views, 'get'>, { medium, address }: Threepid): Promise<UserId | undefined> {
  return THREEPID_OWNERS.get(views, [medium, address]);
}

/** The identifiers of an account. There are fifty at most. */
export async function listThreepids(views: Pick<Views, 'scan'>, userId: UserId): Promise<AccountThreepid[]> {
  const threepids: AccountThreepid[] = [];
  for await (const page of THREEPIDS.pages(views, { prefix: [userId] })) {
    for (const { key, value } of page) threepids.push({ medium: key[1], address: key[2], ...value });
  }
  return threepids;
}
