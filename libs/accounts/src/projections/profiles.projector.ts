import type { UserId } from '#kernel/ids';
import { asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { JsonValue } from '#kernel/json';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact } from '../facts/account-facts.js';

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'account-registered',
  'profile-changed',
  'account-deactivated',
]);

export const PROFILES = new Collection<readonly [userId: UserId], string>('profiles', {
  key: ['user'],
  says: 'the profile as it is served, JSON text',
  codec: asText(),
});

/** Profiles; `{}` for a user who has set nothing. */
export const profilesProjector: Projector = {
  name: 'profiles',
  version: 1,
  ...owning(PROFILES),
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const key = [userIdOfStream(fact.stream)] as const;
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  if (type === 'account-registered') PROFILES.put(rows, key, '{}');
  if (type === 'account-deactivated' && data.erase) PROFILES.put(rows, key, '{}');
  if (type === 'profile-changed') {
    // A Map, because a key such as __proto__ would be no key of an object literal.
    const profile = new Map(
      Object.entries(JSON.parse((await PROFILES.get(rows, key)) ?? '{}') as Record<string, JsonValue>),
    );
    if (data.removed || data.value === undefined) profile.delete(data.key);
    else profile.set(data.key, data.value);
    // One order of keys, whatever was set first: rebuilt rows are compared as text.
    const sorted = [...profile].toSorted(([a], [b]) => (a < b ? -1 : 1));
    PROFILES.put(rows, key, JSON.stringify(Object.fromEntries(sorted)));
  }
}
