import { Controller, Delete, Get, HttpCode, Inject, Optional, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsIn, IsOptional, IsString } from 'class-validator';
import { CONFIG, type Config } from '#config/config';
import {
  Authenticated,
  CurrentRequester,
  FindRequester,
  OptionallyAuthenticated,
  WhileSuspended,
} from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { queryText, type Query as QueryValues, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { isServerName, parseRoomAlias, parseRoomId, type RoomId, type ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { VIEWS, type Views } from '#projections/views';
import { SetRoomListed } from '#rooms/commands/set-room-listed';
import { checkJoined, isWorldReadable } from '#rooms/reading/open-room';
import { Aliases } from '../aliases.js';
import { CreateAlias } from '../commands/create-alias.js';
import { DeleteAlias } from '../commands/delete-alias.js';
import { PUBLIC_ROOMS } from '../projections/directory.projector.js';
import { listWanted, readPublicRoomsRequest, type WantedRooms } from '../queries/public-rooms-request.js';
import { REMOTE_DIRECTORIES, type RemoteDirectories } from '../remote-directories.js';
import { ResolvedAliases } from '../resolved-aliases.js';
import { ROOMS } from '#rooms/projections/room-summary.projector';

class AliasDto {
  @IsString()
  room_id!: string;
}

class ListingDto {
  @IsOptional()
  @IsIn(['public', 'private'])
  visibility?: 'public' | 'private';
}

/** Room aliases and the published room directory: client-server API. */
@Controller([...TODAY])
@RateLimited('default')
export class DirectoryController {
  constructor(
    private readonly commands: CommandBus,
    private readonly aliases: Aliases,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly names: ResolvedAliases,
    @Optional() @Inject(REMOTE_DIRECTORIES) private readonly others?: RemoteDirectories,
  ) {}

  @Get('directory/room/:alias')
  @OptionallyAuthenticated()
  async resolve(@FindRequester() requester: Requester | undefined, @Param('alias') alias: string): Promise<object> {
    const { roomId, servers } = await this.names.resolve(parseRoomAlias(alias), requester !== undefined);
    return { room_id: roomId, servers };
  }

  @Put('directory/room/:alias')
  @Authenticated()
  async create(
    @CurrentRequester() requester: Requester,
    @Param('alias') alias: string,
    @JsonBody(AliasDto) body: AliasDto,
  ): Promise<object> {
    await this.commands.execute(new CreateAlias(requester, parseRoomAlias(alias), parseRoomId(body.room_id)));
    return {};
  }

  @Delete('directory/room/:alias')
  @Authenticated()
  async remove(@CurrentRequester() requester: Requester, @Param('alias') alias: string): Promise<object> {
    await this.commands.execute(new DeleteAlias(requester, parseRoomAlias(alias)));
    return {};
  }

  @Get('rooms/:roomId/aliases')
  @Authenticated()
  async aliasesOf(@CurrentRequester() requester: Requester, @Param('roomId') room: string): Promise<object> {
    const roomId = parseRoomId(room);
    if (!(await isWorldReadable(this.views, roomId))) await checkJoined(this.views, roomId, requester.userId);
    return { aliases: await this.aliases.listOf(roomId) };
  }

  @Get('directory/list/room/:roomId')
  async listing(@Param('roomId') room: string): Promise<object> {
    const roomId = await this.#parseKnown(room);
    const listed = await PUBLIC_ROOMS.has(this.views, [roomId]);
    return { visibility: listed ? 'public' : 'private' };
  }

  @Put('directory/list/room/:roomId')
  @Authenticated()
  async setListing(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @JsonBody(ListingDto) { visibility = 'public' }: ListingDto,
  ): Promise<object> {
    await this.commands.execute(new SetRoomListed(requester, await this.#parseKnown(room), visibility === 'public'));
    return {};
  }

  /** Who only looks at our own list need not say who they are; for whom another server is asked has to. */
  @Get('publicRooms')
  @OptionallyAuthenticated()
  publicRooms(@FindRequester() requester: Requester | undefined, @Query() query: QueryValues): Promise<object> {
    const server = this.#readServer(query);
    if (server !== undefined && requester === undefined) throw new MatrixError('M_MISSING_TOKEN');
    const request = { limit: queryInteger(query, 'limit'), since: queryText(query, 'since') };
    return this.#listRooms(server, { request, network: undefined });
  }

  @WhileSuspended()
  @Post('publicRooms')
  @HttpCode(200)
  @Authenticated()
  searchPublicRooms(@Query() query: QueryValues, @JsonBody() body: JsonObject): Promise<object> {
    const server = this.#readServer(query);
    return this.#listRooms(server, readPublicRoomsRequest(body));
  }

  /** Whether there is a room is told here, by the specification, to anybody: "The room is not known to the server." */
  async #parseKnown(text: string): Promise<RoomId> {
    const roomId = parseRoomId(text);
    if (!(await ROOMS.has(this.views, [roomId]))) throw new MatrixError('M_NOT_FOUND', 'Unknown room');
    return roomId;
  }

  async #listRooms(server: ServerName | undefined, wanted: WantedRooms): Promise<object> {
    if (server === undefined) return listWanted(this.views, this.config.serverName, wanted);
    if (this.others === undefined) throw new MatrixError('M_NOT_FOUND', 'This server asks no other servers');
    return new RawJson(canonicalJson(await this.others.listRooms(server, wanted), { lenient: true }));
  }

  /** The other server whose directory is wanted; undefined for our own. */
  #readServer(query: QueryValues): ServerName | undefined {
    const server = queryText(query, 'server');
    if (server === undefined || server === this.config.serverName) return undefined;
    if (!isServerName(server)) throw new MatrixError('M_INVALID_PARAM', 'server: not a server name');
    return server;
  }
}
