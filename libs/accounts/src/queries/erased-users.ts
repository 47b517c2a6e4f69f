import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { ERASED_USERS } from '../projections/accounts.projector.js';

/** Up to so many users are asked for by name; of more it is looked up first who there is at all. */
const FEW = 20;
const PAGE = 1_000;

/** Those of some users who asked for their content to be erased, and the places in the log at which they did. */
export async function findErasedUsers(
  views: Pick<Views, 'getMany' | 'scan'>,
  users: ReadonlySet<UserId>,
): Promise<ReadonlyMap<UserId, Position>> {
  const erased = new Map<UserId, Position>();
  if (users.size === 0) return erased;
  // PERF: mostly nobody has, and a room can have many thousand senders.
  const all = users.size > FEW ? await ERASED_USERS.scan(views, { limit: PAGE }) : undefined;
  if (all !== undefined && all.length < PAGE) {
    for (const { key, value } of all) if (users.has(key[0])) erased.set(key[0], value);
    return erased;
  }
  const asked = [...users];
  const rows = await ERASED_USERS.getMany(
    views,
    asked.map((userId) => [userId]),
  );
  rows.forEach((row, i) => {
    if (row !== undefined) erased.set(asked[i]!, row);
  });
  return erased;
}
