import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { getProfileField, getProfileText } from '#accounts/queries/profile';
import { CONFIG, type Config } from '#config/config';
import type { PublicRoomsPage } from '#directory/queries/list-public-rooms';
import { listWanted, readPublicRoomsRequest } from '#directory/queries/public-rooms-request';
import { ResolvedAliases } from '#directory/resolved-aliases';
import { queryBoolean, queryInteger, type Query as QueryOf, queryText, requiredText } from '#http/query';
import { RawJson } from '#http/raw-json';
import { parseRoomAlias, parseRoomId, parseUserId, type ServerName, serverNameOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { serveHierarchy } from '#rooms/queries/serve-hierarchy';
import { ServerAcls } from '#rooms/queries/server-acls';
import { FromServer, Origin, ServerContent } from './from-server.js';

/** What other servers ask for on behalf of their users: server-server API, "Querying for information", "Published Room Directory", "Spaces". */
@Controller('_matrix/federation/v1')
@FromServer()
export class QueriesController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly names: ResolvedAliases,
    private readonly acls: ServerAcls,
  ) {}

  @Get('query/profile')
  async profile(@Query() query: QueryOf): Promise<RawJson | JsonObject> {
    const { serverName } = this.config;
    const userId = parseUserId(requiredText(query, 'user_id'), serverName);
    if (serverNameOf(userId) !== serverName) {
      throw new MatrixError('M_INVALID_PARAM', `user_id: ${userId} is not of this server`);
    }
    const field = queryText(query, 'field');
    if (field !== undefined) return getProfileField(this.views, userId, field);
    return new RawJson(await getProfileText(this.views, userId));
  }

  @Get('query/directory')
  async directory(@Query() query: QueryOf): Promise<object> {
    const alias = parseRoomAlias(requiredText(query, 'room_alias'));
    if (serverNameOf(alias) !== this.config.serverName)
      throw new MatrixError('M_NOT_FOUND', `${alias} is not of this server`);
    const { roomId, servers } = await this.names.resolve(alias, false);
    return { room_id: roomId, servers };
  }

  @Get('publicRooms')
  publicRooms(@Query() query: QueryOf): Promise<PublicRoomsPage> {
    const all = queryBoolean(query, 'include_all_networks') ?? false;
    const network = queryText(query, 'third_party_instance_id');
    return this.searchPublicRooms({
      limit: queryInteger(query, 'limit'),
      since: queryText(query, 'since'),
      include_all_networks: all,
      third_party_instance_id: network,
    });
  }

  @Post('publicRooms')
  @HttpCode(200)
  searchPublicRooms(@ServerContent() content: JsonObject): Promise<PublicRoomsPage> {
    const { request, network } = readPublicRoomsRequest(content);
    return listWanted(this.views, this.config.serverName, { request: { ...request, isForServer: true }, network });
  }

  @Get('hierarchy/:roomId')
  async hierarchy(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Query() query: QueryOf,
  ): Promise<RawJson> {
    const suggestedOnly = queryBoolean(query, 'suggested_only') ?? false;
    const asked = { suggestedOnly, ours: this.config.serverName };
    return new RawJson(
      await serveHierarchy({ views: this.views, acls: this.acls }, parseRoomId(roomId), origin, asked),
    );
  }
}
