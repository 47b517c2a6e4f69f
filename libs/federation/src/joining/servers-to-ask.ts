import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { isServerName, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { ServersInRooms } from '../sending/servers-in-rooms.js';

/** NOTSPEC: of a room that is here, with hundreds of servers in it, so many are enough. */
const MOST_OF_ROOM = 16;

/** Which servers may know a room. */
@Injectable()
export class ServersToAsk {
  constructor(
    private readonly inRooms: ServersInRooms,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** First those that were named, then one that the room's id names, then those that were in it when this server was; never ours. */
  async of(roomId: RoomId, named: readonly ServerName[]): Promise<ServerName[]> {
    const servers = new Set<ServerName>(named);
    const maker = serverNameOf(roomId);
    if (maker !== undefined && isServerName(maker)) servers.add(maker);
    let left = MOST_OF_ROOM;
    for (const server of await this.inRooms.of(roomId)) if (left-- > 0) servers.add(server);
    servers.delete(this.config.serverName);
    return [...servers];
  }
}
