import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsIn, IsOptional, IsString } from 'class-validator';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { queryText, type Query as QueryValues, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { parseRoomAlias, parseRoomId, type RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { SetRoomListed } from '#rooms/commands/set-room-listed';
import { checkJoined, isWorldReadable } from '#rooms/reading/open-room';
import { Aliases } from '../aliases.js';
import { CreateAlias } from '../commands/create-alias.js';
import { DeleteAlias } from '../commands/delete-alias.js';
import { PUBLIC_ROOMS } from '../projections/directory.projector.js';
import { findAlias } from '../queries/find-alias.js';
import { listPublicRooms } from '../queries/list-public-rooms.js';
import { NO_ROOMS, readPublicRoomsRequest } from '../queries/public-rooms-request.js';
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
  ) {}

  @Get('directory/room/:alias')
  async resolve(@Param('alias') alias: string): Promise<object> {
    const row = await findAlias(this.views, parseRoomAlias(alias));
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', `Unknown room alias: ${alias}`);
    return { room_id: row.room_id, servers: [this.config.serverName] };
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

  @Get('publicRooms')
  publicRooms(@Query() query: QueryValues): Promise<object> {
    this.#checkServer(query);
    return listPublicRooms(this.views, { limit: queryInteger(query, 'limit'), since: queryText(query, 'since') });
  }

  @Post('publicRooms')
  @HttpCode(200)
  @Authenticated()
  async searchPublicRooms(@Query() query: QueryValues, @JsonBody() body: JsonObject): Promise<object> {
    this.#checkServer(query);
    const wanted = readPublicRoomsRequest(body);
    return wanted === undefined ? NO_ROOMS : listPublicRooms(this.views, wanted);
  }

  /** Whether there is a room is told here, by the specification, to anybody: "The room is not known to the server." */
  async #parseKnown(text: string): Promise<RoomId> {
    const roomId = parseRoomId(text);
    if (!(await ROOMS.has(this.views, [roomId]))) throw new MatrixError('M_NOT_FOUND', 'Unknown room');
    return roomId;
  }

  /** The directories of other servers are read over federation: M_NOT_FOUND before there is one. */
  #checkServer(query: QueryValues): void {
    const server = queryText(query, 'server');
    if (server === undefined || server === this.config.serverName) return;
    throw new MatrixError('M_NOT_FOUND', 'This server does not federate: it knows its own directory only');
  }
}
