import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { PRESENCE_LISTS } from '../projections/presence-lists.projector.js';

/**
 * Whether somebody is on the owner's list by an asking, be it with their permission. Views are past its fact. For who tells of it: facts come again after a crash, and
 * whoever refused this asking, or was asked anew since it was taken back, is not to be asked by it once more.
 */
export async function isAskedNow(
  views: Pick<Views, 'get'>,
  [owner, other]: readonly [owner: UserId, other: UserId],
  ask: number | undefined,
): Promise<boolean> {
  const row = await PRESENCE_LISTS.get(views, [owner, other]);
  return row?.listed !== undefined && row.list_ask === ask;
}
