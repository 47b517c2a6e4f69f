import type { UserId } from '#kernel/ids';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { JsonValue } from '#kernel/json';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact, ListedData, ReaderEntry } from '../facts/account-facts.js';

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'account-registered',
  'profile-changed',
  'readers-set',
  'account-deactivated',
]);

/** Whoever does not look further gives nobody anything that is not for everybody. */
export const PROFILES = new Collection<readonly [userId: UserId], string>('profiles', {
  key: ['user'],
  says: 'what everybody may read of the profile, as it is served, JSON text',
  codec: asText(),
});

/** A field that not everybody may read; without a value it is not set. */
export interface LimitedField {
  readonly readers: readonly ReaderEntry[];
  readonly value?: JsonValue;
}

export const LIMITED_FIELDS = new Collection<
  readonly [userId: UserId],
  readonly (readonly [key: string, LimitedField])[]
>('limited-profile-fields', {
  key: ['user'],
  says: 'the fields of the profile that not everybody may read, and who may',
  codec: asJson(),
});

/** Which pieces of private data others may read, and by the addresses of which media others find the user. */
export const ACCESS_LISTS = new Collection<
  readonly [userId: UserId, of: Exclude<ListedData, 'profile'>, key: string],
  readonly ReaderEntry[]
>('access-lists', {
  key: ['user', 'user-data or threepids', 'type or medium'],
  says: 'who may read it, or find the user by it',
  codec: asJson(),
});

/** Profiles, `{}` for a user who has set nothing, and who may read what of them and of private data. */
export const profilesProjector: Projector = {
  name: 'profiles',
  version: 3,
  ...owning(PROFILES, LIMITED_FIELDS, ACCESS_LISTS),
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const user = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  if (type === 'account-registered') return begin(rows, user);
  if (type === 'account-deactivated') return data.erase ? erase(rows, user) : undefined;
  if (type === 'readers-set' && data.of !== 'profile') {
    const { of, key, readers = [] } = data;
    if (readers.length === 0) ACCESS_LISTS.delete(rows, [user, of, key]);
    else ACCESS_LISTS.put(rows, [user, of, key], readers);
    return;
  }
  if (type !== 'profile-changed' && type !== 'readers-set') return;
  // Maps, because a key such as __proto__ would be no key of an object literal.
  const open = new Map(
    Object.entries(JSON.parse((await PROFILES.get(rows, [user])) ?? '{}') as Record<string, JsonValue>),
  );
  const limited = new Map(await LIMITED_FIELDS.get(rows, [user]));
  const { key } = data;
  const before = limited.get(key);
  const value = type === 'profile-changed' ? data.value : (before?.value ?? open.get(key));
  const readers = type === 'readers-set' ? data.readers : before?.readers;
  open.delete(key);
  limited.delete(key);
  if (readers !== undefined) limited.set(key, { readers, value });
  else if (value !== undefined) open.set(key, value);
  PROFILES.put(rows, [user], JSON.stringify(Object.fromEntries(sorted(open))));
  if (limited.size > 0) LIMITED_FIELDS.put(rows, [user], sorted(limited));
  else if (before !== undefined) LIMITED_FIELDS.delete(rows, [user]);
}

function begin(rows: OwnRows, user: UserId): void {
  PROFILES.put(rows, [user], '{}');
}

async function erase(rows: OwnRows, user: UserId): Promise<void> {
  begin(rows, user);
  LIMITED_FIELDS.delete(rows, [user]);
  for await (const page of ACCESS_LISTS.pages(rows, { prefix: [user] }))
    for (const { key } of page) ACCESS_LISTS.delete(rows, key);
}

/** In one order of keys, whatever was set first: rebuilt rows are compared as text. */
function sorted<T>(fields: ReadonlyMap<string, T>): [string, T][] {
  return [...fields].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
