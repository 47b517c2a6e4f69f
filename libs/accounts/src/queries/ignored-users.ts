import { foldUserId, serverNameOf, type UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ACCOUNT_DATA } from '../projections/account-data-row.js';

const NOBODY: ReadonlySet<UserId> = new Set();

/**
 * The users whose messages and invitations a user does not want: account data of the type m.ignored_user_list (client-server
 * API, "Ignoring Users"). Never the user, who may have written themself into it.
 */
export async function readIgnoredUsers(views: Pick<Views, 'get'>, userId: UserId): Promise<ReadonlySet<UserId>> {
  const row = await ACCOUNT_DATA.get(views, [userId, '', 'm.ignored_user_list']);
  if (row === undefined) return NOBODY;
  const { ignored_users: users } = JSON.parse(row.content) as { ignored_users?: unknown };
  if (typeof users !== 'object' || users === null) return NOBODY;
  // User ids of this server, which the reader's is, are case-insensitive.
  const ours = serverNameOf(userId);
  const ignored = new Set(Object.keys(users).map((user) => foldUserId(user as UserId, ours)));
  ignored.delete(userId);
  return ignored;
}
