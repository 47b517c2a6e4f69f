import { readIgnoredUsers } from '#accounts/queries/ignored-users';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';

/** Whose eyes an answer is for. */
export interface Reader {
  readonly userId: UserId;
  /** The device, where there is one: only it is told the transaction ids of its own events. */
  readonly deviceId?: string;
  /** The users whose messages the reader does not want. Never the reader. */
  readonly ignored: ReadonlySet<UserId>;
}

/** Who sent a request, as a reader. */
export async function readerOf(
  views: Pick<Views, 'get'>,
  { userId, deviceId }: Omit<Reader, 'ignored'>,
): Promise<Reader> {
  return { userId, deviceId, ignored: await readIgnoredUsers(views, userId) };
}
