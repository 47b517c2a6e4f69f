import type { SyncContext } from './sync-context.js';

/** By what account data it is decided what notifies a user. */
const COUNTED_BY: ReadonlySet<string> = new Set(['m.push_rules', 'm.ignored_user_list']);

/** Whether what notifies the user is something else since the client last looked: how much of each room is unread may be, too. */
export async function isCountedAnew({ since, accountData }: SyncContext): Promise<boolean> {
  return since !== undefined && (await accountData()).global.some(({ type }) => COUNTED_BY.has(type));
}
