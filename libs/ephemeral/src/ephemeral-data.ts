import { Inject, Injectable } from '@nestjs/common';
import { jsonOf, kindOfRows } from '#personal-data/kind-of-rows';
import { PersonalData, type PersonalDataKind } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import { PRESENCE_SHAPES } from './facts/presence-facts.js';
import { RECEIPT_SHAPES } from './facts/receipt-facts.js';
import { SUBSCRIPTION_SHAPES } from './facts/subscription-facts.js';
import { PRESENCE, PRESENT } from './projections/presence.projector.js';
import { PRESENCE_LISTS, PRESENCE_LISTS_LOG, PRESENCE_SUBSCRIBERS } from './projections/presence-lists.projector.js';
import { RECEIPTS } from './projections/receipts.projector.js';

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class EphemeralData {
  constructor(data: PersonalData, @Inject(VIEWS) views: Views) {
    data.add(...presenceKinds(views), readMarkers(views));
  }
}

function presenceKinds(views: Views): readonly PersonalDataKind[] {
  return [
    kindOfRows(views, {
      name: 'presence',
      chapter: 'account',
      isCountedAsErased: true,
      title: 'Presence',
      about: 'When you were last active, and what you say of whether you are there.',
      rows: PRESENCE,
      alsoCollections: [PRESENT],
      facts: Object.keys(PRESENCE_SHAPES),
      record: (_, { pos: __, last_active: last, ...kept }) => ({ last_active_ts: last, ...jsonOf(kept) }),
    }),
    kindOfRows(views, {
      name: 'presence-list',
      chapter: 'people',
      isCountedAsErased: true,
      title: 'Presence list',
      about: 'Whose presence you follow, in which groups they are, and who may see yours.',
      rows: PRESENCE_LISTS,
      alsoCollections: [PRESENCE_LISTS_LOG, PRESENCE_SUBSCRIBERS],
      facts: Object.keys(SUBSCRIPTION_SHAPES),
      // Of one that is over the row says where it ended, and nothing else.
      record: ([, other], { listed, groups, watches, declined }) => {
        if (listed === undefined && watches === undefined) return undefined;
        return { user_id: other, you_follow: listed, groups, follows_you: watches, declined };
      },
    }),
  ];
}

function readMarkers(views: Views): PersonalDataKind {
  return {
    name: 'read-markers',
    chapter: 'rooms',
    isCountedAsErased: true,
    title: 'Read markers',
    about: 'Up to where you have read in each room and thread.',
    covers: { collections: [RECEIPTS], facts: Object.keys(RECEIPT_SHAPES) },
    async *read(userId) {
      for await (const rooms of USER_ROOMS.pages(views, { prefix: [userId] })) {
        for (const { key } of rooms) {
          for await (const page of RECEIPTS.pages(views, { prefix: [key[1], userId] })) {
            for (const {
              key: [room, , type, thread],
              value,
            } of page) {
              const { event_id: event, ts: at } = value;
              yield { data: { room_id: room, type, thread: thread || undefined, event_id: event, at_ts: at } };
            }
          }
        }
      }
    },
  };
}
