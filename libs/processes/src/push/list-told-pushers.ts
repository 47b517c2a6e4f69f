import { findAccount } from '#accounts/queries/find-account';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { PusherSet } from '#push/facts/pusher-facts';
import { listPushers } from '#push/queries/list-pushers';

/** The pushers of a user that are told something: none while the account is locked. Nobody may read then what is said in its rooms, by a notification either. */
export async function listToldPushers(views: Pick<Views, 'get' | 'scan'>, userId: UserId): Promise<PusherSet[]> {
  const pushers = await listPushers(views, userId);
  // PERF: who has none is not looked at.
  if (pushers.length === 0 || (await findAccount(views, userId))?.locked === true) return [];
  return pushers;
}
