import type { EventStore } from '#event-store/event-store';
import type { JsonObject } from '#kernel/json';
import { userStream } from '#kernel/user-stream';
import { jsonOf } from '#personal-data/kind-of-rows';
import type { PersonalDataKind } from '#personal-data/personal-data';
import type { AccountFact, AccountFacts } from '../facts/account-facts.js';

type Told = { readonly [T in keyof AccountFacts]?: (data: AccountFacts[T]) => JsonObject };
const NOTHING_MORE = (): JsonObject => ({});

/** What is told of each fact besides that it was: no secret, and no hash of one. */
const TOLD: Told = {
  'account-registered': ({ kind, via }) => ({ kind, via }),
  'guest-upgraded': NOTHING_MORE,
  'password-changed': NOTHING_MORE,
  'terms-accepted': ({ documents }) => ({ documents }),
  'admin-changed': ({ admin }) => ({ admin }),
  'account-locked': NOTHING_MORE,
  'account-unlocked': NOTHING_MORE,
  'account-suspended': NOTHING_MORE,
  'account-unsuspended': NOTHING_MORE,
  'account-deactivated': ({ erase }) => ({ erase }),
  'account-reopened': NOTHING_MORE,
  'rate-limit-overridden': (limit) => jsonOf(limit),
  'rate-limit-restored': NOTHING_MORE,
  'device-added': ({ device_id: device }) => ({ device_id: device }),
  'devices-removed': ({ device_ids: devices, reason }) => ({ device_ids: devices, reason }),
  'external-id-linked': ({ provider }) => ({ provider }),
  'external-id-unlinked': ({ provider }) => ({ provider }),
  'upstream-session-begun': ({ provider }) => ({ provider }),
  'upstream-sessions-ended': ({ provider }) => ({ provider }),
  'threepid-added': ({ medium }) => ({ medium }),
  'threepid-removed': ({ medium }) => ({ medium }),
  'room-succeeded': ({ from, to }) => ({ from, to }),
};

/** What became of an account, one thing after another: by the log, for no view keeps it. */
export function accountHistory(store: Pick<EventStore, 'readStream'>): PersonalDataKind {
  return {
    name: 'account-history',
    chapter: 'account',
    isCountedAsErased: false,
    title: 'What became of your account',
    about:
      'When it was made, what you accepted, when it was locked or suspended, when your sessions and addresses came and went.',
    covers: { collections: [], facts: Object.keys(TOLD) },
    async *read(userId) {
      for await (const { type, data, metadata } of store.readStream(userStream(userId))) {
        const tell = findTold(type);
        if (tell !== undefined) yield { data: { what: type, at_ts: metadata.at, ...tell(JSON.parse(data) as never) } };
      }
    },
  };
}

/** To be given the data of a fact of that type. */
function findTold(type: string): ((data: never) => JsonObject) | undefined {
  return Object.hasOwn(TOLD, type) ? TOLD[type as AccountFact['type']] : undefined;
}
