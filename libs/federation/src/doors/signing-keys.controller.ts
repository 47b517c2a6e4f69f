import { Controller, Get, HttpCode, Inject, Ip, Param, Post, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { JsonBody } from '#http/json-body';
import { type Query as QueryOfRequest, queryInteger } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { CLOCK, type Clock } from '#kernel/clock';
import { isServerName, type ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { OwnKeys } from '../keys/own-keys.js';
import { type KeysWanted, QueryServerKeys } from '../queries/query-server-keys.js';

/** The signing keys of this server, and as a notary those of others (server-server API, "Retrieving server keys"). */
@RateLimited('default')
@Controller('_matrix/key/v2')
export class SigningKeysController {
  constructor(
    private readonly own: OwnKeys,
    private readonly queries: QueryBus,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The key that a path names decides nothing: all are told. */
  @Get(['server', 'server/:keyId'])
  published(): JsonObject {
    return this.own.document();
  }

  @Get(['query/:serverName', 'query/:serverName/:keyId'])
  async query(
    @Param('serverName') name: string,
    @Param('keyId') keyId: string | undefined,
    @Query() query: QueryOfRequest,
    @Ip() from: string,
  ): Promise<object> {
    const validAt = queryInteger(query, 'minimum_valid_until_ts') ?? this.clock.now();
    return this.#answer([{ server: parseServer(name), validAt: new Map(keyId ? [[keyId, validAt]] : []) }], from);
  }

  @Post('query')
  @HttpCode(200)
  async queryMany(@JsonBody() body: JsonObject, @Ip() from: string): Promise<object> {
    const { server_keys: servers } = body;
    if (!isJsonObject(servers)) throw new MatrixError('M_BAD_JSON', 'server_keys: must be an object');
    const wanted = Object.entries(servers).map(([name, keys]): KeysWanted => {
      if (!isJsonObject(keys)) throw new MatrixError('M_BAD_JSON', `server_keys.${name}: must be an object`);
      const validAt = Object.entries(keys).map(([keyId, query]) => [keyId, this.#timeOf(query)] as const);
      return { server: parseServer(name), validAt: new Map(validAt) };
    });
    return this.#answer(wanted, from);
  }

  async #answer(wanted: readonly KeysWanted[], from: string): Promise<object> {
    return { server_keys: await this.queries.execute(new QueryServerKeys(wanted, from)) };
  }

  /** Where a query says no time it means now. */
  #timeOf(query: JsonValue | undefined): number {
    const time = isJsonObject(query) ? (query['minimum_valid_until_ts'] ?? this.clock.now()) : undefined;
    if (typeof time === 'number' && Number.isSafeInteger(time)) return time;
    throw new MatrixError('M_BAD_JSON', 'minimum_valid_until_ts: must be an integer');
  }
}

function parseServer(name: string): ServerName {
  if (isServerName(name)) return name;
  throw new MatrixError('M_INVALID_PARAM', `Not a server name: ${name.slice(0, 80)}`);
}
