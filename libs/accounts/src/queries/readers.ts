import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { type ListedData, READERS_BY_DEFAULT, type ReaderEntry } from '../facts/account-facts.js';
import { nameOfField } from '../facts/profile-fields.js';
import { ACCESS_LISTS, LIMITED_FIELDS } from '../projections/profiles.projector.js';

/** Who may read a field of a user's profile or a piece of their private data, or find them by the addresses of a medium. */
export async function findReaders(
  views: Pick<Views, 'get'>,
  userId: UserId,
  of: ListedData,
  key: string,
): Promise<readonly ReaderEntry[]> {
  if (of !== 'profile') return (await ACCESS_LISTS.get(views, [userId, of, key])) ?? READERS_BY_DEFAULT[of];
  const limited = new Map(await LIMITED_FIELDS.get(views, [userId]));
  return limited.get(nameOfField(key))?.readers ?? READERS_BY_DEFAULT[of];
}
