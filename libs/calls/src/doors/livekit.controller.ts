import { Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { readCallTokenRequest } from '#federation/calls/read-call-token-request';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { isServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { AskForCallToken } from '../commands/ask-for-call-token.js';
import { GrantCallToken } from '../commands/grant-call-token.js';

/** Tokens for what carries calls of many, of this server and others: MSC4195, `POST /rtc/livekit/get_token`. */
@Controller(['_matrix/client/v1', '_matrix/client/unstable/io.element.msc4195'])
export class LiveKitController {
  constructor(
    private readonly granting: GrantCallToken,
    private readonly asking: AskForCallToken,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  @Authenticated({ guests: true })
  @RateLimited('call')
  @Post('rtc/livekit/get_token')
  @HttpCode(200)
  async token(@CurrentRequester() { userId }: Requester, @JsonBody() body: JsonObject): Promise<object> {
    const request = readCallTokenRequest(body);
    const server = body['server_name'] ?? this.config.serverName;
    if (typeof server !== 'string' || !isServerName(server)) {
      throw new MatrixError('M_INVALID_PARAM', 'server_name: not a server name');
    }
    const isOurs = server === this.config.serverName;
    return { jwt: await (isOurs ? this.granting.grant(userId, request) : this.asking.ask(server, userId, request)) };
  }
}
