import { Injectable } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type { DeviceId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import type { Position } from '#kernel/position';
import { PersonalData } from '#personal-data/personal-data';
import { ListNotifications } from './queries/list-notifications.js';

/** So many of the newest are told: each is found by looking through rooms again. */
const MOST_TOLD = 1_000;
const PAGE = 50;
/** Who asks for all of their data does so on no device. */
const NO_DEVICE = '' as DeviceId;

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class SyncData {
  constructor(data: PersonalData, queries: QueryBus) {
    data.add({
      name: 'notifications',
      chapter: 'rooms',
      isCountedAsErased: false,
      title: 'Notifications',
      about: `Of which events you were notified lately, ${MOST_TOLD.toLocaleString('en')} at most: not what they say, for others wrote them.`,
      // They are found anew each time, by the push rules.
      covers: { collections: [], facts: [] },
      async *read(userId) {
        const requester = { userId, deviceId: NO_DEVICE, isAdmin: false, requestId: '' };
        let before: Position | undefined;
        let told = 0;
        do {
          const wish = { before, limit: PAGE, onlyHighlights: false };
          const { notifications, next } = await queries.execute(new ListNotifications(requester, wish));
          for (const { room, row, verdict, isRead } of notifications) {
            const { eventId, sender, sentAt } = row.header;
            const about = { room_id: room.roomId, event_id: eventId, by: sender, at_ts: sentAt };
            yield { data: { ...about, is_read: isRead, actions: verdict.actions as JsonValue } };
          }
          told += notifications.length;
          before = next;
        } while (before !== undefined && told < MOST_TOLD);
      },
    });
  }
}
