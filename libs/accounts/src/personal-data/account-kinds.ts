import type { JsonObject, JsonValue } from '#kernel/json';
import { jsonOf, kindOfRows } from '#personal-data/kind-of-rows';
import type { PersonalDataKind } from '#personal-data/personal-data';
import type { Views } from '#projections/views';
import { ACCOUNTS, ERASED_USERS } from '../projections/accounts.projector.js';
import { ACCOUNT_DATA, ACCOUNT_DATA_LOG } from '../projections/account-data-row.js';
import { EXTERNAL_ID_OWNERS, EXTERNAL_IDS } from '../projections/external-ids.projector.js';
import { FILTERS } from '../projections/filters.projector.js';
import { ACCESS_LISTS, LIMITED_FIELDS, PROFILES } from '../projections/profiles.projector.js';
import { UPSTREAM_SESSION_OWNERS, UPSTREAM_SESSIONS } from '../projections/upstream-sessions.projector.js';
import { THREEPID_OWNERS, THREEPIDS } from '../projections/threepids.projector.js';

/** Who somebody is here, and how others know them. */
export function accountKinds(views: Views): readonly PersonalDataKind[] {
  return [
    kindOfRows(views, {
      name: 'account',
      chapter: 'account',
      isCountedAsErased: false,
      title: 'Account',
      about: 'Since when you have an account here, how it was made, and what it may.',
      rows: ACCOUNTS,
      alsoCollections: [ERASED_USERS],
      facts: [],
      record: ([userId], row) => ({ user_id: userId, ...jsonOf(row) }),
    }),
    profileKind(views),
    kindOfRows(views, {
      name: 'access-lists',
      chapter: 'account',
      isCountedAsErased: true,
      title: 'Access lists',
      about:
        'Who may read your private data, and who may find you by your addresses. Those of your profile stand beside its fields.',
      rows: ACCESS_LISTS,
      facts: ['readers-set'],
      record: ([, of, key], readers) => ({ of, key, readers }),
    }),
    kindOfRows(views, {
      name: 'addresses',
      chapter: 'account',
      isCountedAsErased: true,
      title: 'Mail addresses and phone numbers',
      about: 'Those that you showed to be yours.',
      rows: THREEPIDS,
      alsoCollections: [THREEPID_OWNERS],
      facts: ['threepid-claimed', 'threepid-released'],
      record: ([, medium, address], { validated_at: validated, added_at: added }) => {
        return { medium, address, validated_ts: validated, added_ts: added };
      },
    }),
    kindOfRows(views, {
      name: 'accounts-elsewhere',
      chapter: 'account',
      isCountedAsErased: true,
      title: 'Accounts elsewhere',
      about: 'Those with which you log in here, and what their providers call you.',
      rows: EXTERNAL_IDS,
      alsoCollections: [EXTERNAL_ID_OWNERS, UPSTREAM_SESSIONS, UPSTREAM_SESSION_OWNERS],
      facts: ['external-id-claimed', 'external-id-released'],
      record: (_, { provider, subject }) => ({ provider, subject }),
    }),
    ...keptForClients(views),
  ];
}

function keptForClients(views: Views): readonly PersonalDataKind[] {
  return [
    kindOfRows(views, {
      name: 'account-data',
      chapter: 'account',
      isCountedAsErased: true,
      title: 'Private data',
      about:
        'What you and your applications keep here for yourself, of all of the account or of a room: also tags, and whom you ignore.',
      rows: ACCOUNT_DATA,
      alsoCollections: [ACCOUNT_DATA_LOG],
      facts: ['account-data-set', 'tag-set', 'tag-removed'],
      record: ([, room, type], { content }) => {
        // Of push rules the row says only that they changed.
        if (content === '') return undefined;
        return { ...(room === '' ? {} : { room_id: room }), type, content: JSON.parse(content) as JsonValue };
      },
    }),
    kindOfRows(views, {
      name: 'filters',
      chapter: 'account',
      isCountedAsErased: true,
      title: 'Filters',
      about: 'Of what your applications wanted to hear.',
      rows: FILTERS,
      facts: ['filter-created'],
      record: ([, id], filter) => ({ filter_id: id, filter: JSON.parse(filter) as JsonValue }),
    }),
  ];
}

/** One record of each field, with who may read it. */
function profileKind(views: Views): PersonalDataKind {
  return {
    name: 'profile',
    chapter: 'account',
    isCountedAsErased: true,
    title: 'Profile',
    about: 'What others are shown of you, and who of them may read it.',
    covers: { collections: [PROFILES, LIMITED_FIELDS], facts: ['profile-changed'] },
    async *read(userId) {
      const open = JSON.parse((await PROFILES.get(views, [userId])) ?? '{}') as JsonObject; // written by this library
      for (const [field, value] of Object.entries(open)) yield { data: { field, value, readers: ['everybody'] } };
      for (const [field, { value, readers }] of (await LIMITED_FIELDS.get(views, [userId])) ?? [])
        yield { data: { field, value, readers } };
    },
  };
}
