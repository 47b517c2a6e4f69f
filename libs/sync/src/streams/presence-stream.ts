import { Injectable } from '@nestjs/common';
import { LISTED_ROOMS } from '#devices/projections/device-lists.projector';
import { PresenceNews } from '../presence/presence-news.js';
import type { SyncContext, SyncPart, SyncStream } from './sync-context.js';

const NOTHING: SyncPart = Object.freeze({ json: '{"events":[]}', isNews: false });

/** Who is there of those with whom the user shares a room: `presence`. At first only those who are, later what changes. */
@Injectable()
export class PresenceStream implements SyncStream {
  static readonly covers = [LISTED_ROOMS.name];
  readonly key = 'presence';

  constructor(private readonly news: PresenceNews) {}

  async read({ since, until, filter, rooms, requester, reader }: SyncContext): Promise<SyncPart> {
    const asked = { userId: requester.userId, rooms };
    const users = since === undefined ? this.news.present(asked) : await this.news.changed(asked, since, until);
    if (users.size === 0) return NOTHING;
    const events = this.news.render(await reader(), users, filter.presence);
    return { json: `{"events":[${events.join()}]}`, isNews: events.length > 0 };
  }
}
