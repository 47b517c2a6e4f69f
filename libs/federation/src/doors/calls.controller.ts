import { Controller, HttpCode, Inject, Post } from '@nestjs/common';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { CALL_TOKENS, type CallTokens } from '../calls/call-tokens.js';
import { readCallTokenRequest } from '../calls/read-call-token-request.js';
import { FromServer, Origin, ServerContent } from './from-server.js';
import { parsePeersUser } from './parse-peers-user.js';

/** Calls that are carried here, for users of other servers: MSC4195, `POST /rtc/livekit/get_token`. */
@FromServer()
@Controller(['_matrix/federation/v1', '_matrix/federation/unstable/io.element.msc4195'])
export class CallsController {
  constructor(@Inject(CALL_TOKENS) private readonly tokens: CallTokens) {}

  @Post('rtc/livekit/get_token')
  @HttpCode(200)
  async token(@Origin() origin: ServerName, @ServerContent() content: JsonObject): Promise<object> {
    const userId = parsePeersUser(content['user_id']);
    return { jwt: await this.tokens.grantTo(origin, userId, readCallTokenRequest(content)) };
  }
}
