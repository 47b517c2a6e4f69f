import { Inject, Injectable, Optional } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { type RoomAlias, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { isServerIn } from '#rooms/reading/server-standing';
import { REMOTE_ROOMS, type RemoteRooms } from '#rooms/remote-rooms';
import { ALIASES_ON_DEMAND, type AliasesOnDemand } from './aliases-on-demand.js';
import type { AliasRow } from './projections/directory.projector.js';
import { findAlias } from './queries/find-alias.js';
import { REMOTE_DIRECTORIES, type RemoteDirectories } from './remote-directories.js';

/** NOTSPEC: of a room with more servers so many are named: whoever wants to join it asks few. */
const MOST_SERVERS = 50;

/** A room that an alias points to. */
export interface ResolvedAlias {
  readonly roomId: RoomId;
  /** Servers that have the room, those first that know the alias. */
  readonly servers: readonly ServerName[];
}

/** Where aliases point, those of other servers too. */
@Injectable()
export class ResolvedAliases {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Optional() @Inject(REMOTE_ROOMS) private readonly rooms?: RemoteRooms,
    @Optional() @Inject(REMOTE_DIRECTORIES) private readonly directories?: RemoteDirectories,
    @Optional() @Inject(ALIASES_ON_DEMAND) private readonly demand?: AliasesOnDemand,
  ) {}

  /** Throws M_NOT_FOUND, and what the alias's server says of it, as `RemoteRooms` does. `insists`: for a user of ours, also as there. */
  async resolve(alias: RoomAlias, insists: boolean): Promise<ResolvedAlias> {
    const { serverName } = this.config;
    if (serverNameOf(alias) !== serverName && this.rooms !== undefined) return this.rooms.findAlias(alias, insists);
    const row = (await findAlias(this.views, alias)) ?? (await this.#demand(alias));
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', `Unknown room alias: ${alias}`);
    const { room_id: roomId } = row;
    const ours = (await isServerIn(this.views, roomId, serverName)) ? [serverName] : [];
    const others = (await this.directories?.serversIn(roomId)) ?? [];
    return { roomId, servers: [...ours, ...others].slice(0, MOST_SERVERS) };
  }

  async #demand(alias: RoomAlias): Promise<AliasRow | undefined> {
    await this.demand?.make(alias);
    return this.demand && findAlias(this.views, alias);
  }
}
