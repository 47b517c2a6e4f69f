import { Controller, Get, Inject, Optional, Param, Query } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { FindRequester, OptionallyAuthenticated } from '#http/authenticated';
import type { Query as QueryOf } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { isRoomAlias, isServerName, parseRoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { RoomDescription } from '#rooms/queries/describe-room';
import { isServerIn } from '#rooms/reading/server-standing';
import { SPACES_ELSEWHERE, type SpacesElsewhere } from '#rooms/spaces-elsewhere';
import { findSummaryElsewhere, summariseRoom, type SummaryOfRoom } from '../queries/summarise-room.js';
import { type ResolvedAlias, ResolvedAliases } from '../resolved-aliases.js';

type Told = SummaryOfRoom | (RoomDescription & Pick<SummaryOfRoom, 'membership'>);

/** What a room is like, before one joins it: client-server API, "Room summaries". */
@Controller('_matrix/client')
@OptionallyAuthenticated()
@RateLimited('default')
export class RoomSummaryController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly names: ResolvedAliases,
    @Optional() @Inject(SPACES_ELSEWHERE) private readonly elsewhere?: SpacesElsewhere,
  ) {}

  @Get('v1/room_summary/:idOrAlias')
  async summary(
    @FindRequester() requester: Requester | undefined,
    @Param('idOrAlias') idOrAlias: string,
    @Query() query: QueryOf,
  ): Promise<object> {
    return this.#summarise(requester, idOrAlias, query);
  }

  /** As clients ask for it that are older than v1.15: MSC3266 before it was merged, and as it was first written. */
  @Get(['unstable/im.nheko.summary/summary/:idOrAlias', 'unstable/im.nheko.summary/rooms/:idOrAlias/summary'])
  async unstable(
    @FindRequester() requester: Requester | undefined,
    @Param('idOrAlias') idOrAlias: string,
    @Query() query: QueryOf,
  ): Promise<object> {
    const summary = await this.#summarise(requester, idOrAlias, query);
    return {
      ...summary,
      'im.nheko.summary.encryption': summary.encryption,
      'im.nheko.summary.room_version': summary.room_version,
    };
  }

  async #summarise(requester: Requester | undefined, idOrAlias: string, query: QueryOf): Promise<Told> {
    const { roomId, servers } = await this.#find(requester, idOrAlias, query);
    const isHere = await isServerIn(this.views, roomId, this.config.serverName);
    // For whom nobody here answers no other server is asked.
    if (!isHere && requester !== undefined && this.elsewhere !== undefined) {
      const told = await findSummaryElsewhere(this.views, this.elsewhere, roomId, servers, requester.userId);
      if (told !== undefined) return told;
    }
    return summariseRoom(this.views, roomId, requester?.userId);
  }

  async #find(requester: Requester | undefined, idOrAlias: string, query: QueryOf): Promise<ResolvedAlias> {
    const named = [query['via'] ?? []].flat().filter((name): name is ServerName => isServerName(name));
    if (!isRoomAlias(idOrAlias)) return { roomId: parseRoomId(idOrAlias), servers: named };
    if (requester === undefined && serverNameOf(idOrAlias) !== this.config.serverName) {
      throw new MatrixError('M_NOT_FOUND', 'Unknown room alias');
    }
    const { roomId, servers } = await this.names.resolve(idOrAlias, true);
    return { roomId, servers: [...named, ...servers] };
  }
}
