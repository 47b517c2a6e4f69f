import { Injectable } from '@nestjs/common';
import { isRoomId, isServerName, type RoomAlias, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { RemoteJoin, RemoteMembership, RemoteRooms } from '#rooms/remote-rooms';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';
import { askInTurn } from './ask-in-turn.js';
import { RemoteJoins } from './remote-joins.js';

/** What other servers do for the memberships of users here. */
@Injectable()
export class RemoteMemberships implements RemoteRooms {
  constructor(
    private readonly peers: Peers,
    private readonly joins: RemoteJoins,
  ) {}

  async findAlias(alias: RoomAlias): Promise<{ readonly roomId: RoomId; readonly servers: readonly ServerName[] }> {
    const path = pathOf('/_matrix/federation/v1/query/directory', {}, { room_alias: alias });
    return askInTurn([serverNameOf(alias)], async (server) => {
      const { room_id: roomId, servers } = await this.peers.ask(server, { method: 'GET', path, insists: true });
      if (typeof roomId !== 'string' || !isRoomId(roomId)) throw new PeerUnavailable('It names no room');
      const named: unknown[] = Array.isArray(servers) ? servers : [];
      return { roomId, servers: [server, ...named.filter(isNameOfServer)] };
    });
  }

  join(wish: RemoteMembership): Promise<RemoteJoin | undefined> {
    return this.joins.join(wish);
  }
}

function isNameOfServer(value: unknown): value is ServerName {
  return typeof value === 'string' && isServerName(value);
}
