import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { isServerName, type ServerName, serverNameOf } from '#kernel/ids';
import type { RemoteMembership } from '#rooms/remote-rooms';
import { ServersInRooms } from '../sending/servers-in-rooms.js';

/** NOTSPEC: of a room that is here, with hundreds of servers in it, so many are enough. */
const MOST_OF_ROOM = 16;

type ServersOf = Pick<RemoteMembership, 'roomId' | 'servers' | 'made'>;

/** Which servers may know a room. */
@Injectable()
export class ServersToAsk {
  constructor(
    private readonly inRooms: ServersInRooms,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** Where an event was made before, its server alone. Else first those that were named, then one that the room's id names, then those that were in it when this server was; never ours. */
  async of({ roomId, servers: named, made }: ServersOf): Promise<ServerName[]> {
    if (made !== undefined) return [made.server];
    const servers = new Set<ServerName>(named);
    const maker = serverNameOf(roomId);
    if (maker !== undefined && isServerName(maker)) servers.add(maker);
    let left = MOST_OF_ROOM;
    for (const server of await this.inRooms.of(roomId)) if (left-- > 0) servers.add(server);
    servers.delete(this.config.serverName);
    return [...servers];
  }
}
