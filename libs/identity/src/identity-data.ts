import { Inject, Injectable } from '@nestjs/common';
import { jsonOf, kindOfRows } from '#personal-data/kind-of-rows';
import { PersonalData, type PersonalDataKind } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { Bindings } from './client/bindings.js';
import { STORED_INVITE_SHAPES } from './facts/stored-invite-facts.js';
import {
  ASSOCIATION_HASHES,
  ASSOCIATION_IDS,
  ASSOCIATIONS,
  IDENTITY_PEOPLE,
  IDENTITY_TERMS,
  IDENTITY_TOKENS,
} from './projections/identity.projector.js';
import { BINDINGS } from './projections/bindings.projector.js';
import { INVITE_KEYS, STORED_INVITES } from './projections/stored-invites.projector.js';

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class IdentityData {
  constructor(
    data: PersonalData,
    private readonly bindings: Bindings,
    @Inject(VIEWS) views: Views,
  ) {
    data.add(
      this.#identityServers(),
      associations(views),
      invitationsByAddress(views),
      kindOfRows(views, {
        name: 'identity-terms',
        chapter: 'account',
        isCountedAsErased: false,
        title: 'Terms of the identity server',
        about: 'Those that you accepted of the identity server that this server is.',
        rows: IDENTITY_TERMS,
        alsoCollections: [IDENTITY_TOKENS],
        facts: ['identity-terms-accepted'],
        record: (_, urls) => ({ urls }),
      }),
      kindOfRows(views, {
        name: 'found-by',
        chapter: 'account',
        isCountedAsErased: true,
        title: 'Who finds you by your addresses',
        about: 'At the identity server that this server is: who may, and the public key that they are told then.',
        rows: IDENTITY_PEOPLE,
        facts: ['identity-readers-set', 'identity-readers-learnt', 'identity-key-published'],
        record: (_, person) => jsonOf(person),
      }),
    );
  }

  #identityServers(): PersonalDataKind {
    const { bindings } = this;
    return {
      name: 'identity-servers',
      chapter: 'places',
      isCountedAsErased: true,
      title: 'Identity servers',
      about:
        'Those to which you made a mail address or a phone number known by this server, so that others find you by it.',
      covers: { collections: [BINDINGS], facts: ['binding-noted', 'binding-ended'] },
      async *read(userId) {
        for (const { server, of } of await bindings.of(userId))
          yield { data: { server_name: server, medium: of.medium, address: of.address } };
      },
    };
  }
}

/** They are found by the identifier alone. */
function associations(views: Views): PersonalDataKind {
  return {
    name: 'associations',
    chapter: 'places',
    isCountedAsErased: true,
    title: 'What the identity server of this server knows',
    about: 'The mail addresses and phone numbers by which others find you there, where this server is one.',
    covers: {
      collections: [ASSOCIATIONS, ASSOCIATION_IDS, ASSOCIATION_HASHES],
      facts: [
        'association-made',
        'association-ended',
        'association-learnt',
        'association-end-learnt',
        'association-end-heard',
        'association-overtaken',
      ],
    },
    async *read(userId) {
      for await (const page of ASSOCIATIONS.pages(views, {})) {
        for (const {
          key: [medium, address],
          value,
        } of page) {
          if (value.mxid !== userId) continue;
          const { ts: since, not_before: from, not_after: until } = value;
          yield { data: { medium, address, since_ts: since, valid_from_ts: from, valid_until_ts: until } };
        }
      }
    },
  };
}

/** They are found by their tokens alone. */
function invitationsByAddress(views: Views): PersonalDataKind {
  return {
    name: 'invitations-by-address',
    chapter: 'rooms',
    isCountedAsErased: false,
    title: 'Invitations by mail addresses and phone numbers',
    about: 'Those that the identity server of this server keeps: which you sent, and which you claimed as yours.',
    covers: { collections: [STORED_INVITES, INVITE_KEYS], facts: Object.keys(STORED_INVITE_SHAPES) },
    async *read(userId) {
      for await (const page of STORED_INVITES.pages(views, {})) {
        for (const { value } of page) {
          const { room_id: room, sender, until, mxid } = value;
          if (sender === userId || mxid === userId)
            yield { data: { room_id: room, by: sender, is_claimed_by_you: mxid === userId, until_ts: until } };
        }
      }
    },
  };
}
