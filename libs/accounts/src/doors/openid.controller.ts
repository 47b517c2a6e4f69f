import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester, OwnersOnly } from '#http/authenticated';
import { checkOwn } from '#http/check-own';
import { TODAY, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { type ServerName, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { OPENID_LIFETIME_MS, OpenIdTokens } from '../openid/openid-tokens.js';

/** Proof to other services of who somebody is (client-server API, module "OpenID"; server-server API, "OpenID"). */
@Controller()
export class OpenIdController {
  constructor(
    private readonly tokens: OpenIdTokens,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  @Authenticated()
  @OwnersOnly()
  @RateLimited('default')
  @HttpCode(200)
  @Post(under(TODAY, 'user/:userId/openid/request_token'))
  async request(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @JsonBody(undefined, { allowEmpty: true }) _reserved: JsonObject,
  ): Promise<{ access_token: string; token_type: 'Bearer'; matrix_server_name: ServerName; expires_in: number }> {
    checkOwn(requester, userId, 'user ID');
    return {
      access_token: await this.tokens.issue(requester),
      token_type: 'Bearer',
      matrix_server_name: this.config.serverName,
      expires_in: OPENID_LIFETIME_MS / 1000,
    };
  }

  @RateLimited('default')
  @Get('_matrix/federation/v1/openid/userinfo')
  async userinfo(@Query() query: QueryOfUrl): Promise<{ sub: UserId }> {
    const token = queryText(query, 'access_token');
    if (token === undefined) throw new MatrixError('M_MISSING_TOKEN');
    const owner = await this.tokens.findOwner(token);
    if (owner === undefined) throw new MatrixError('M_UNKNOWN_TOKEN', 'Access token unknown or expired');
    return { sub: owner.userId };
  }
}
