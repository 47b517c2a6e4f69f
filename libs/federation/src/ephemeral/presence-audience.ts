import { Injectable } from '@nestjs/common';
import { Subscribers } from '#ephemeral/lists/subscribers';
import type { ServerName, UserId } from '#kernel/ids';
import { ServersSharing } from '../devices/servers-sharing.js';

/** Which other servers are told of the presence of users of ours. */
@Injectable()
export class PresenceAudience {
  constructor(
    private readonly sharing: ServersSharing,
    private readonly subscribers: Subscribers,
  ) {}

  /** Those that share a room with a user, or of whose users one follows them by a presence list. */
  async of(userId: UserId): Promise<ReadonlySet<ServerName>> {
    const [servers, followers] = await Promise.all([this.sharing.of(userId), this.subscribers.of(userId)]);
    for (const server of followers.servers) servers.add(server);
    return servers;
  }
}
