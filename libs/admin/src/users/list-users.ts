import { ACCOUNTS } from '#accounts/projections/accounts.projector';
import { PROFILES } from '#accounts/projections/profiles.projector';
import { localpartOf, type UserId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import { tellUser, type ToldUser } from './users.js';

const ASKED_AT_ONCE = 100;

/** By what a list may be ordered. */
export const ORDERS = [
  'name',
  'is_guest',
  'admin',
  'user_type',
  'deactivated',
  'shadow_banned',
  'displayname',
  'avatar_url',
  'creation_ts',
  'last_seen_ts',
  'locked',
  'suspended',
] as const;
export type UserOrder = (typeof ORDERS)[number];

/** Which users, in which order, and which part of them. What is left out keeps nobody out. */
export interface UserListing {
  /** Part of what stands before the colon, or of the display name, in any case. */
  readonly name?: string | undefined;
  /** Part of the user id, in any case; not looked at beside `name`. */
  readonly userId?: string | undefined;
  readonly guests?: boolean | undefined;
  readonly admins?: boolean | undefined;
  readonly deactivated?: boolean | undefined;
  readonly locked?: boolean | undefined;
  readonly order: UserOrder;
  readonly isBackwards: boolean;
  readonly from: number;
  readonly limit: number;
}

/** A user in a list. */
export interface ListedUser extends ToldUser {
  /** In milliseconds. */
  readonly creation_ts: number;
  readonly last_seen_ts: number | null;
}

/**
 * A part of the users of this server, and how many there are. PERF: looks at every account, a thousand at a time, with others' turns between:
 * tools ask for pages by their numbers, and for how many there are.
 */
export async function listUsers(
  views: Views,
  lastSeen: (userId: UserId) => Promise<number | null>,
  listing: UserListing,
): Promise<{ readonly users: readonly ListedUser[]; readonly total: number }> {
  const { order, isBackwards, from, limit } = listing;
  const all: ListedUser[] = [];
  for await (const page of ACCOUNTS.pages(views, {})) {
    const profiles = await PROFILES.getMany(
      views,
      page.map(({ key }) => key),
    );
    for (const [i, { key, value }] of page.entries()) {
      const [userId] = key;
      const user = { ...tellUser(userId, value, profiles[i]), creation_ts: value.created_ts, last_seen_ts: null };
      if (isWanted(user, listing)) all.push(user);
    }
  }
  const seen = order === 'last_seen_ts' ? await withLastSeen(all, lastSeen) : all;
  const sorted = seen.toSorted((a, b) => {
    const by = compare(a[order], b[order]) || compare(a.name, b.name);
    return isBackwards ? -by : by;
  });
  const part = sorted.slice(from, from + limit);
  return { users: await withLastSeen(part, lastSeen), total: all.length };
}

/** PERF: of some at a time, with others' turns between: who orders by it asks of all there are. */
async function withLastSeen(
  users: readonly ListedUser[],
  lastSeen: (userId: UserId) => Promise<number | null>,
): Promise<ListedUser[]> {
  const seen: ListedUser[] = [];
  const turn = new Turn(1);
  for (let at = 0; at < users.length; at += ASKED_AT_ONCE) {
    const some = users.slice(at, at + ASKED_AT_ONCE);
    seen.push(...(await Promise.all(some.map(async (user) => ({ ...user, last_seen_ts: await lastSeen(user.name) })))));
    if (turn.isOver()) await turn.pass();
  }
  return seen;
}

function isWanted(user: ListedUser, { name, userId, guests, admins, deactivated, locked }: UserListing): boolean {
  if (guests !== undefined && user.is_guest !== guests) return false;
  if (admins !== undefined && user.admin !== admins) return false;
  if (deactivated !== undefined && user.deactivated !== deactivated) return false;
  if (locked !== undefined && user.locked !== locked) return false;
  if (name !== undefined) return holds(localpartOf(user.name), name) || holds(user.displayname ?? '', name);
  return userId === undefined || holds(user.name, userId);
}

const holds = (text: string, part: string): boolean => text.toLowerCase().includes(part.toLowerCase());

type Value = string | number | boolean | null;

/** What is not there comes first, as with the tools' own server. */
function compare(a: Value, b: Value): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? -1 : 1;
  return a < b ? -1 : 1;
}
