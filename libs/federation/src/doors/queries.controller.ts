import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { getProfileField, getProfileText } from '#accounts/queries/profile';
import { CONFIG, type Config } from '#config/config';
import { findAlias } from '#directory/queries/find-alias';
import { listPublicRooms, type PublicRoomsPage } from '#directory/queries/list-public-rooms';
import { NO_ROOMS, readPublicRoomsRequest } from '#directory/queries/public-rooms-request';
import { queryBoolean, queryInteger, type Query as QueryOf, queryText, requiredText } from '#http/query';
import { RawJson } from '#http/raw-json';
import { parseRoomAlias, parseRoomId, parseUserId, type ServerName, serverNameOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { serveHierarchy } from '#rooms/queries/serve-hierarchy';
import { isServerIn } from '#rooms/reading/server-standing';
import { ServersInRooms } from '../sending/servers-in-rooms.js';
import { FromServer, Origin, ServerContent } from './from-server.js';

/** NOTSPEC: of a room with more servers so many are named: whoever wants to join it asks few. */
const MOST_SERVERS = 50;

/** What other servers ask for on behalf of their users: server-server API, "Querying for information", "Published Room Directory", "Spaces". */
@Controller('_matrix/federation/v1')
@FromServer()
export class QueriesController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly servers: ServersInRooms,
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
    const row = await findAlias(this.views, alias);
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', `Unknown room alias: ${alias}`);
    const { room_id: roomId } = row;
    const { serverName } = this.config;
    const ours = (await isServerIn(this.views, roomId, serverName)) ? [serverName] : [];
    return { room_id: roomId, servers: [...ours, ...(await this.servers.of(roomId))].slice(0, MOST_SERVERS) };
  }

  @Get('publicRooms')
  publicRooms(@Query() query: QueryOf): Promise<PublicRoomsPage> {
    const all = queryBoolean(query, 'include_all_networks') ?? false;
    const network = queryText(query, 'third_party_instance_id');
    return this.#list({
      limit: queryInteger(query, 'limit'),
      since: queryText(query, 'since'),
      include_all_networks: all,
      third_party_instance_id: network,
    });
  }

  @Post('publicRooms')
  @HttpCode(200)
  searchPublicRooms(@ServerContent() content: JsonObject): Promise<PublicRoomsPage> {
    return this.#list(content);
  }

  @Get('hierarchy/:roomId')
  async hierarchy(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Query() query: QueryOf,
  ): Promise<RawJson> {
    const suggestedOnly = queryBoolean(query, 'suggested_only') ?? false;
    return new RawJson(await serveHierarchy(this.views, parseRoomId(roomId), origin, { suggestedOnly }));
  }

  async #list(content: JsonObject): Promise<PublicRoomsPage> {
    const wanted = readPublicRoomsRequest(content);
    return wanted === undefined ? NO_ROOMS : listPublicRooms(this.views, wanted);
  }
}
