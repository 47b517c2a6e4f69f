import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { ERASED_USERS, type ErasedTime } from '../projections/accounts.projector.js';

export type ErasedUsers = ReadonlyMap<UserId, readonly ErasedTime[]>;

/** Where an event came, and when it was sent. */
interface Said {
  readonly position: Position;
  /** In milliseconds since the epoch. */
  readonly sentAt: number;
  /** Its position says nothing of when it was sent. */
  readonly isHistory?: boolean;
}

/** The place in the log at which an event of somebody was to be erased; undefined where it was sent after their account was opened again. */
export function erasureOf(times: readonly ErasedTime[], { position, sentAt, isHistory }: Said): Position | undefined {
  const isBefore = ({ until }: ErasedTime): boolean =>
    until === undefined || (isHistory === true ? sentAt < until.ts : position < until.position);
  return times.find(isBefore)?.at;
}

/** Up to so many users are asked for by name; of more it is looked up first who there is at all. */
const FEW = 20;
const PAGE = 1_000;

/** Those of some users who asked for their content to be erased, and the times at which they did, in their order. */
export async function findErasedUsers(
  views: Pick<Views, 'getMany' | 'scan'>,
  users: ReadonlySet<UserId>,
): Promise<ErasedUsers> {
  const erased = new Map<UserId, readonly ErasedTime[]>();
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
