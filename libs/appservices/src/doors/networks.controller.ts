import { Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsIn } from 'class-validator';
import { ListInNetwork } from '#directory/commands/list-in-network';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, queryText, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { parseRoomAlias, parseRoomId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { AskNetworks, type Looked } from '../networks/ask-networks.js';
import { instanceIdOf } from '../networks/instance-id.js';

class VisibilityBody {
  @IsIn(['public', 'private']) visibility!: 'public' | 'private';
}

/** What of a query is for this server. */
const OURS: ReadonlySet<string> = new Set(['access_token', 'user_id', 'device_id', 'org.matrix.msc3202.device_id']);
const MOST_FIELD_TEXT = 4_096;

/** Third-party networks: client-server API, module "Third-party Networks"; application service API, "Published room directories". */
@Controller([...TODAY])
@Authenticated()
@RateLimited('search')
export class NetworksController {
  constructor(
    private readonly networks: AskNetworks,
    private readonly commands: CommandBus,
  ) {}

  @Get('thirdparty/protocols')
  protocols(): Promise<JsonObject> {
    return this.networks.listProtocols();
  }

  @Get('thirdparty/protocol/:protocol')
  async protocol(@Param('protocol') name: string): Promise<JsonObject> {
    const protocol = await this.networks.findProtocol(name);
    if (protocol === undefined) throw new MatrixError('M_NOT_FOUND', 'Unknown protocol');
    return protocol;
  }

  @Get('thirdparty/user')
  usersOf(@Query() query: QueryOfUrl): Promise<JsonValue[]> {
    return this.#look('user', undefined, { userid: requiredText(query, 'userid') });
  }

  @Get('thirdparty/location')
  locationsOf(@Query() query: QueryOfUrl): Promise<JsonValue[]> {
    return this.#look('location', undefined, { alias: parseRoomAlias(requiredText(query, 'alias')) });
  }

  @Get('thirdparty/user/:protocol')
  users(@Param('protocol') protocol: string, @Query() query: QueryOfUrl): Promise<JsonValue[]> {
    return this.#look('user', protocol, fieldsOf(query));
  }

  @Get('thirdparty/location/:protocol')
  locations(@Param('protocol') protocol: string, @Query() query: QueryOfUrl): Promise<JsonValue[]> {
    return this.#look('location', protocol, fieldsOf(query));
  }

  @HttpCode(200)
  @Put('directory/list/appservice/:networkId/:roomId')
  list(
    @CurrentRequester() requester: Requester,
    @Param('networkId') networkId: string,
    @Param('roomId') roomId: string,
    @JsonBody(VisibilityBody) { visibility }: VisibilityBody,
  ): Promise<object> {
    return this.#list(requester, networkId, roomId, visibility === 'public');
  }

  /** NOTSPEC: as other servers take it. */
  @Delete('directory/list/appservice/:networkId/:roomId')
  unlist(
    @CurrentRequester() requester: Requester,
    @Param('networkId') networkId: string,
    @Param('roomId') roomId: string,
  ): Promise<object> {
    return this.#list(requester, networkId, roomId, false);
  }

  async #list(requester: Requester, networkId: string, roomId: string, isListed: boolean): Promise<object> {
    const { appServiceId } = requester;
    if (appServiceId === undefined) throw new MatrixError('M_FORBIDDEN', 'For application services alone');
    const instance = instanceIdOf(appServiceId, networkId);
    await this.commands.execute(new ListInNetwork(requester, instance, parseRoomId(roomId), isListed));
    return {};
  }

  async #look(looked: Looked, protocol: string | undefined, fields: Record<string, string>): Promise<JsonValue[]> {
    const query = new URLSearchParams(fields).toString();
    if (query.length > MOST_FIELD_TEXT) throw new MatrixError('M_INVALID_PARAM', 'The fields are too long');
    const found = await this.networks.look(looked, protocol, query);
    if (found.length === 0) throw new MatrixError('M_NOT_FOUND', 'Nothing was found');
    return found;
  }
}

/** The fields by which a service looks: whatever the query has besides. Throws M_INVALID_PARAM for one that is given twice. */
function fieldsOf(query: QueryOfUrl): Record<string, string> {
  const names = Object.keys(query).filter((name) => !OURS.has(name));
  return Object.fromEntries(names.flatMap((name) => [[name, queryText(query, name) ?? '']]));
}
