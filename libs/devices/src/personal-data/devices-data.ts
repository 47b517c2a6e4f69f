import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { jsonOf, kindOfRows } from '#personal-data/kind-of-rows';
import { PersonalData, type PersonalDataKind } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { BACKUP_SHAPES } from '../facts/backup-facts.js';
import { DEVICE_KEY_SHAPES } from '../facts/device-key-facts.js';
import { CROSS_SIGNING_KEYS } from '../projections/cross-signing.projector.js';
import { DEVICE_KEYS, KEY_COUNTS } from '../projections/device-keys.projector.js';
import { BACKED_UP, BACKUP_STATES, BACKUP_VERSIONS, versionOfKey } from '../projections/key-backup.projector.js';
import { madeSignatures } from './made-signatures.js';

/** What people have of this domain, for who asks for their data: what is public of keys, and what their devices encrypted. */
@Injectable()
export class DevicesData {
  constructor(data: PersonalData, @Inject(VIEWS) views: Views, @Inject(EVENT_STORE) store: EventStore) {
    data.add(...keyKinds(views), madeSignatures(views, store), ...backupKinds(views));
  }
}

function keyKinds(views: Views): readonly PersonalDataKind[] {
  return [
    kindOfRows(views, {
      name: 'device-keys',
      chapter: 'devices',
      isCountedAsErased: true,
      title: 'Keys of your devices',
      about: 'The public halves, by which others encrypt for you.',
      rows: DEVICE_KEYS,
      facts: Object.keys(DEVICE_KEY_SHAPES),
      record: ([, device], { device_keys: keys }) => ({ device_id: device, keys }),
    }),
    kindOfRows(views, {
      name: 'key-counts',
      chapter: 'devices',
      isCountedAsErased: false,
      title: 'Keys for new sessions',
      about: 'How many there are, for others to begin encrypted sessions with your devices.',
      rows: KEY_COUNTS,
      facts: [],
      record: ([, device], { counts, unused_fallback: fallback }) => {
        return { device_id: device, one_time_keys: counts, unused_fallback_keys: fallback };
      },
    }),
    kindOfRows(views, {
      name: 'cross-signing-keys',
      chapter: 'devices',
      isCountedAsErased: false,
      title: 'Keys of your identity',
      about: 'The public halves of those with which you sign your devices and other people.',
      rows: CROSS_SIGNING_KEYS,
      facts: ['cross-signing-keys-set'],
      record: (_, keys) => jsonOf(keys),
    }),
  ];
}

function backupKinds(views: Views): readonly PersonalDataKind[] {
  return [
    {
      name: 'key-backup-versions',
      chapter: 'devices',
      isCountedAsErased: true,
      title: 'Key backups',
      about: 'The versions of your backup of keys, and how many are in each.',
      covers: { collections: [BACKUP_VERSIONS, BACKUP_STATES], facts: Object.keys(BACKUP_SHAPES) },
      async *read(userId) {
        for await (const page of BACKUP_VERSIONS.pages(views, { prefix: [userId] })) {
          for (const { key, value } of page) {
            const count = (await BACKUP_STATES.get(views, key))?.count ?? 0;
            yield { data: { version: versionOfKey(key), ...jsonOf(value), count } };
          }
        }
      },
    },
    kindOfRows(views, {
      name: 'backed-up-keys',
      chapter: 'devices',
      isCountedAsErased: true,
      title: 'Keys in your backups',
      about: 'Each as your devices encrypted it: with your recovery key it can be read.',
      rows: BACKED_UP,
      facts: [],
      record: ([user, version, room, session], key) => {
        return { version: versionOfKey([user, version]), room_id: room, session_id: session, ...jsonOf(key) };
      },
    }),
  ];
}
