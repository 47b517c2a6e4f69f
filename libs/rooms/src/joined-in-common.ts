import { Inject, Injectable } from '@nestjs/common';
import type { RoomsInCommon } from '#accounts/rooms-in-common';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { USER_ROOMS } from './projections/membership.projector.js';
import { listJoinedRooms } from './queries/list-user-rooms.js';

/** Whether users are joined to a room together, for access lists. */
@Injectable()
export class JoinedInCommon implements RoomsInCommon {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  async has(one: UserId, other: UserId): Promise<boolean> {
    const rooms = new Set(await listJoinedRooms(this.views, one));
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [other] })) {
      if (page.some(({ key, value }) => value.membership === 'join' && rooms.has(key[1]))) return true;
    }
    return false;
  }
}
