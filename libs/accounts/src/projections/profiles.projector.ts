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

/** `profiles` [user]: the profile as JSON text, as it is served; `{}` for a user who has set nothing. */
export const profilesProjector: Projector = {
  name: 'profiles',
  version: 1,
  collections: ['profiles'],
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const key = [userIdOfStream(fact.stream)];
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  if (type === 'account-registered') rows.put('profiles', key, '{}');
  if (type === 'account-deactivated' && data.erase) rows.put('profiles', key, '{}');
  if (type === 'profile-changed') {
    // A Map, because a key such as __proto__ would be no key of an object literal.
    const profile = new Map(
      Object.entries(JSON.parse((await rows.get('profiles', key)) ?? '{}') as Record<string, JsonValue>),
    );
    if (data.removed || data.value === undefined) profile.delete(data.key);
    else profile.set(data.key, data.value);
    // One order of keys, whatever was set first: rebuilt rows are compared as text.
    const sorted = [...profile].toSorted(([a], [b]) => (a < b ? -1 : 1));
    rows.put('profiles', key, JSON.stringify(Object.fromEntries(sorted)));
  }
}
