import { Inject, Injectable, Optional } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { Query } from '#http/query';
import { isRoomAlias, isServerName, parseRoomId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import { ALIAS_BOOK, type AliasBook } from '../alias-book.js';
import { REMOTE_ROOMS, type RemoteRooms } from '../remote-rooms.js';

/** NOTSPEC: of the servers that a client names so many are taken. */
const MOST_VIA = 20;

/** A room that a client names by its id or by an alias. */
export interface NamedRoom {
  readonly roomId: RoomId;
  /** Servers that may be in it, those that the client names first. */
  readonly via: readonly ServerName[];
}

/** Rooms as clients name them who want to enter: client-server API, `POST /join/{roomIdOrAlias}`. */
@Injectable()
export class NamedRooms {
  constructor(
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Optional() @Inject(REMOTE_ROOMS) private readonly others?: RemoteRooms,
  ) {}

  /** As `find`, for who wants to join. Throws as `refuseSuspended`: the room that is open to who is suspended has no alias, and no other server is asked. */
  async findToJoin(requester: Requester, idOrAlias: string, query?: Query): Promise<NamedRoom> {
    if (isRoomAlias(idOrAlias)) refuseSuspended(requester);
    return this.find(idOrAlias, query);
  }

  /** `via` of the query, or `server_name`, as it was called, says who may be in the room. Throws M_NOT_FOUND, M_INVALID_PARAM. */
  async find(idOrAlias: string, query: Query = {}): Promise<NamedRoom> {
    const via = serversOf(query['via'] ?? query['server_name']);
    if (!isRoomAlias(idOrAlias)) return { roomId: parseRoomId(idOrAlias), via };
    if (serverNameOf(idOrAlias) !== this.config.serverName && this.others !== undefined) {
      const { roomId, servers } = await this.others.findAlias(idOrAlias, true);
      return { roomId, via: [...via, ...servers] };
    }
    const roomId = await this.aliases.find(idOrAlias);
    if (roomId === undefined) throw new MatrixError('M_NOT_FOUND', `Unknown room alias: ${idOrAlias}`);
    return { roomId, via };
  }
}

function serversOf(value: Query[string]): ServerName[] {
  const names = value === undefined ? [] : typeof value === 'string' ? [value] : value;
  return names.slice(0, MOST_VIA).map((name) => {
    if (isServerName(name)) return name;
    throw new MatrixError('M_INVALID_PARAM', `Not a server name: ${name.slice(0, 80)}`);
  });
}
