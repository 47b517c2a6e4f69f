import type { RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { kindOfRows } from '#personal-data/kind-of-rows';
import type { PersonalDataKind } from '#personal-data/personal-data';
import type { Views } from '#projections/views';
import { ELSEWHERE_SHAPES } from '../facts/elsewhere-facts.js';
import { HELD_INVITATION_SHAPES } from '../facts/held-invitation-facts.js';
import { THREAD_SUBSCRIPTION_SHAPES } from '../facts/thread-subscription-facts.js';
import { ELSEWHERE } from '../projections/elsewhere-rows.js';
import { HELD_INVITATIONS } from '../projections/held-invitations.projector.js';
import { KEPT_MEMBERSHIPS } from '../projections/kept-memberships.projector.js';
import { MEMBERSHIP_LOG } from '../projections/membership-log.js';
import { USER_ROOMS } from '../projections/membership.projector.js';
import { THREAD_SUBSCRIPTIONS, THREAD_SUBSCRIPTIONS_LOG } from '../projections/thread-subscriptions.projector.js';
import { TIMELINE } from '../projections/timeline-collections.js';
import { parseRow, rowHeaderOf } from '../projections/timeline-row.js';
import { nameRoomFor } from './room-names.js';

/** In which rooms somebody is or was, and who asked them. */
export function membershipKinds(views: Views): readonly PersonalDataKind[] {
  return [
    {
      name: 'rooms',
      chapter: 'rooms',
      isCountedAsErased: false,
      title: 'Rooms',
      about: 'Those that you are or were in, or were invited to, and how that came: also invitations, and by whom.',
      covers: { collections: [USER_ROOMS, MEMBERSHIP_LOG], facts: ['room-forgotten'] },
      async *read(userId) {
        for await (const page of USER_ROOMS.pages(views, { prefix: [userId] })) {
          for (const { key, value } of page) {
            const { membership, event_id: eventId, sender: by, forgotten, elsewhere } = value;
            const name = await nameRoomFor(views, userId, key[1], value);
            const history = await historyOf(views, key[1], userId);
            const now = { membership, event_id: eventId, by, forgotten, is_elsewhere: elsewhere };
            yield { data: { room_id: key[1], name, ...now, history } };
          }
        }
      },
    },
    ...invitationKinds(views),
    kindOfRows(views, {
      name: 'thread-subscriptions',
      chapter: 'rooms',
      isCountedAsErased: true,
      title: 'Threads',
      about: 'Those that you follow or followed.',
      rows: THREAD_SUBSCRIPTIONS,
      alsoCollections: [THREAD_SUBSCRIPTIONS_LOG],
      facts: Object.keys(THREAD_SUBSCRIPTION_SHAPES),
      record: ([, room, thread], { subscribed }) => ({ room_id: room, thread, subscribed }),
    }),
  ];
}

/** Each time that it became something else: by whom and when, where an event of the room says so. */
async function historyOf(views: Views, roomId: RoomId, userId: UserId): Promise<JsonObject[]> {
  const told: JsonObject[] = [];
  for await (const page of MEMBERSHIP_LOG.pages(views, { prefix: [roomId, userId] })) {
    const texts = await TIMELINE.getMany(
      views,
      page.map(({ key }) => [roomId, key[2]] as const),
    );
    for (const [i, { value }] of page.entries()) {
      const header = texts[i] === undefined ? undefined : rowHeaderOf(texts[i]);
      const isOfThem = header?.type === 'm.room.member' && header.stateKey === userId;
      told.push({ membership: value.membership, ...(isOfThem && { by: header.sender, at_ts: header.sentAt }) });
    }
  }
  return told;
}

function invitationKinds(views: Views): readonly PersonalDataKind[] {
  return [
    kindOfRows(views, {
      name: 'memberships-elsewhere',
      chapter: 'rooms',
      isCountedAsErased: false,
      title: 'Rooms of other servers',
      about:
        'Invitations to rooms that are not on this server, what you answered, and what you were told of the rooms.',
      rows: ELSEWHERE,
      facts: Object.keys(ELSEWHERE_SHAPES),
      record: ([, room], { member, state, origin }) => {
        const { header } = parseRow(member);
        const { sender: by, membership, sentAt } = header;
        const about = state.map((event) => JSON.parse(event) as JsonValue);
        return { room_id: room, membership, by, at_ts: sentAt, told_by: origin, name: nameIn(about), about };
      },
    }),
    kindOfRows(views, {
      name: 'more-invitations',
      chapter: 'rooms',
      isCountedAsErased: false,
      title: 'More invitations',
      about: 'Invitations of several servers to the same room, besides the one that you are shown.',
      rows: KEPT_MEMBERSHIPS,
      facts: [],
      record: ([, room, server], { told: { membership, pdu } }) => {
        return { room_id: room, told_by: server, membership, by: pdu['sender'] };
      },
    }),
    kindOfRows(views, {
      name: 'held-invitations',
      chapter: 'rooms',
      isCountedAsErased: false,
      title: 'Invitations that are held back',
      about: 'Those that you are not shown for now, by your rules of whom you let invite you, or were not for a while.',
      rows: HELD_INVITATIONS,
      facts: Object.keys(HELD_INVITATION_SHAPES),
      record: ([, room], { held, shown }) => ({ room_id: room, held: [...held], shown_again: shown?.sender ?? null }),
    }),
  ];
}

/** The name in a state that was told. */
function nameIn(state: readonly JsonValue[]): JsonValue | undefined {
  const event = state.filter(isJsonObject).find(({ type }) => type === 'm.room.name');
  return isJsonObject(event?.['content']) ? event['content']['name'] : undefined;
}
