import { Inject, Injectable } from '@nestjs/common';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { listJoinedRooms } from '#rooms/queries/list-user-rooms';
import { ServersInRooms } from '../sending/servers-in-rooms.js';

/** Which other servers share rooms with users of ours. */
@Injectable()
export class ServersSharing {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly servers: ServersInRooms,
  ) {}

  /** The servers that are in some room with a user, `but` for one. */
  async of(userId: UserId, but?: RoomId): Promise<Set<ServerName>> {
    const sharing = new Set<ServerName>();
    for (const roomId of await listJoinedRooms(this.views, userId)) {
      if (roomId === but) continue;
      for (const server of await this.servers.of(roomId)) sharing.add(server);
    }
    return sharing;
  }
}
