import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsArray, IsBoolean, IsIn, IsInt, IsObject, IsOptional, IsString, Min } from 'class-validator';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { checkDto, JsonBody } from '#http/json-body';
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

class PublicRoomsDto {
  @IsOptional()
  @IsInt()
  @Min(0)
  limit?: number;

  @IsOptional()
  @IsString()
  since?: string;

  @IsOptional()
  @IsObject()
  filter?: JsonObject;

  @IsOptional()
  @IsBoolean()
  include_all_networks?: boolean;

  @IsOptional()
  @IsString()
  third_party_instance_id?: string;
}

class RoomFilterDto {
  @IsOptional()
  @IsString()
  generic_search_term?: string;

  @IsOptional()
  @IsArray()
  room_types?: unknown[];
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
  async searchPublicRooms(
    @Query() query: QueryValues,
    @JsonBody(PublicRoomsDto) body: PublicRoomsDto,
  ): Promise<object> {
    this.#checkServer(query);
    const { limit, since, filter = {}, include_all_networks: all = false, third_party_instance_id: network } = body;
    const { generic_search_term: term, room_types: types } = checkDto(RoomFilterDto, filter);
    if (types?.some((type) => type !== null && typeof type !== 'string') === true) {
      throw new MatrixError('M_BAD_JSON', 'filter.room_types: must be a list of strings and nulls');
    }
    if (network !== undefined && all) {
      throw new MatrixError('M_INVALID_PARAM', 'third_party_instance_id: not together with include_all_networks');
    }
    // No other network is bridged to this server, so none has a room here.
    if (network !== undefined) return { chunk: [], total_room_count_estimate: 0 };
    return listPublicRooms(this.views, {
      limit,
      since: since || undefined,
      term,
      types: types as (string | null)[] | undefined,
    });
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
