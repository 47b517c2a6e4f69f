import { isDeepStrictEqual } from 'node:util';
import { ACCOUNT_LIMITS, limitReached } from '#kernel/account-limits';
import { foldUserId, isUserId, type ServerName } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type AccountFact, type ListedData, READERS_BY_DEFAULT, type ReaderEntry } from '../facts/account-facts.js';
import { ACCOUNT_MEDIUM } from '../threepids/account-address.js';
import { isMedium } from '../threepids/threepid.js';
import { type Account, nameOfList } from './account.js';
import { checkActive } from './decide-account.js';
import { checkName } from './decide-account-data.js';
import { checkProfileKey } from './decide-profile.js';
import { nameOfField } from '../facts/profile-fields.js';

/** The entries that name no group and nobody. */
const PLAIN: ReadonlySet<string> = new Set(['everybody', 'rooms', 'contacts']);
const GROUP = 'group:';
const MAX_GROUP_BYTES = 255;
/** So many entries a list has, and so many lists an account, at most. */
const MAX_ENTRIES = 100;

/**
 * The entries of an access list that a client names, in one order, each once; `everybody` stands alone. `ours`: the server whose user ids are
 * read in small letters. Throws M_BAD_JSON for what is no list of texts, and M_INVALID_PARAM for what is no entry, or too many of them.
 */
export function parseReaders(value: JsonValue | undefined, ours: ServerName): readonly ReaderEntry[] {
  if (!Array.isArray(value)) throw new MatrixError('M_BAD_JSON', "'readers' must be a list");
  if (value.length > MAX_ENTRIES)
    throw new MatrixError('M_INVALID_PARAM', `There are more than ${MAX_ENTRIES} readers`);
  const entries = new Set(value.map((entry) => parseReader(entry, ours)));
  return entries.has('everybody') ? ['everybody'] : [...entries].toSorted();
}

function parseReader(entry: JsonValue, ours: ServerName): ReaderEntry {
  if (typeof entry !== 'string') throw new MatrixError('M_BAD_JSON', 'A reader must be a text');
  if (PLAIN.has(entry)) return entry as ReaderEntry;
  if (isUserId(entry)) return foldUserId(entry, ours);
  const isGroup = entry.startsWith(GROUP) && entry.length > GROUP.length;
  if (isGroup && Buffer.byteLength(entry) <= GROUP.length + MAX_GROUP_BYTES) return entry as ReaderEntry;
  throw new MatrixError(
    'M_INVALID_PARAM',
    "A reader is 'everybody', 'rooms', 'contacts', 'group:' and a name, or a user id",
  );
}

function checkMedium(key: string): void {
  if (key !== ACCOUNT_MEDIUM && !isMedium(key)) {
    throw new MatrixError('M_INVALID_PARAM', `There are no addresses of the medium ${key}`);
  }
}

/**
 * Who may read a field of the profile or a piece of private data, or find the user by the addresses of a medium; `undefined`: as it is without a list. Nothing where that is so already.
 * Throws for a bad key, and M_USER_LIMIT_EXCEEDED where the account has too many lists.
 */
export function decideReaders(
  account: Account,
  of: ListedData,
  named: string,
  readers: readonly ReaderEntry[] | undefined,
): AccountFact[] {
  checkActive(account);
  const key = of === 'profile' ? nameOfField(named) : named;
  if (of === 'profile') checkProfileKey(key);
  else if (of === 'user-data') checkName('key', key);
  else checkMedium(key);
  const before = account.readers.get(nameOfList({ of, key }));
  if (readers === undefined || isDeepStrictEqual(readers, READERS_BY_DEFAULT[of])) {
    return before === undefined ? [] : [{ type: 'readers-set', data: { of, key, removed: true } }];
  }
  if (isDeepStrictEqual(before?.readers, readers)) return [];
  if (before === undefined && account.readers.size >= ACCOUNT_LIMITS['access-lists'].most) {
    throw limitReached('access-lists');
  }
  return [{ type: 'readers-set', data: { of, key, readers } }];
}
