import { Controller, Delete, Get, Inject, Param, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester, FindRequester, OptionallyAuthenticated } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { readPageParameters } from '#http/pagination';
import type { Query as QueryValues } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { parseRoomAlias, parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { CreateAlias } from '../../commands/create-alias.js';
import { DeleteAlias } from '../../commands/delete-alias.js';
import { listRoomsV1 } from '../../queries/list-rooms-v1.js';
import { ResolvedAliases } from '../../resolved-aliases.js';

class AliasTarget {
  @IsString()
  room_id!: string;
}

/** Room aliases and the public rooms: client-server API v1, "Room aliases" and "Pagination". */
@RateLimited('default')
@Controller(V1)
export class DirectoryV1Controller {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly names: ResolvedAliases,
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
    @JsonBody(AliasTarget) { room_id: roomId }: AliasTarget,
  ): Promise<object> {
    await this.commands.execute(new CreateAlias(requester, parseRoomAlias(alias), parseRoomId(roomId)));
    return {};
  }

  @Delete('directory/room/:alias')
  @Authenticated()
  async remove(@CurrentRequester() requester: Requester, @Param('alias') alias: string): Promise<object> {
    await this.commands.execute(new DeleteAlias(requester, parseRoomAlias(alias)));
    return {};
  }

  @Get(['publicRooms', 'rooms/list'])
  publicRooms(@Query() query: QueryValues): Promise<object> {
    return listRoomsV1(this.views, this.config.serverName, readPageParameters(query));
  }
}
