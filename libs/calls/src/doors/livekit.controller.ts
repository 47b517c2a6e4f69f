import { Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { readCallTokenRequest } from '#federation/calls/read-call-token-request';
import {
  Authenticated,
  CurrentRequester,
  FindRequester,
  OptionallyAuthenticated,
  WhileSuspended,
} from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { isServerName } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { AskForCallToken } from '../commands/ask-for-call-token.js';
import { DelegateLeave } from '../commands/delegate-leave.js';
import { GrantCallToken, notCarriedThere } from '../commands/grant-call-token.js';
import { liveKitIdentityOf } from '../livekit/livekit-names.js';
import { callerOf } from '../livekit/sealed-seat.js';

/** Tokens for what carries calls of many, of this server and others, and hang-ups for it to look after: MSC4195. */
@Controller(['_matrix/client/v1', '_matrix/client/unstable/io.element.msc4195'])
export class LiveKitController {
  constructor(
    private readonly granting: GrantCallToken,
    private readonly asking: AskForCallToken,
    private readonly delegating: DelegateLeave,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'livekit'>,
  ) {}

  @Authenticated({ guests: true })
  @RateLimited('call')
  @Post('rtc/livekit/get_token')
  @HttpCode(200)
  async token(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    const request = readCallTokenRequest(body);
    const server = body['server_name'] ?? this.config.serverName;
    if (typeof server !== 'string' || !isServerName(server)) {
      throw new MatrixError('M_INVALID_PARAM', 'server_name: not a server name');
    }
    if (server !== this.config.serverName) return { jwt: await this.asking.ask(server, requester.userId, request) };
    return { jwt: await this.granting.grant(callerOf(requester), request) };
  }

  /**
   * Element Call asks without a token whether there is this, and chooses by that for how long its hang-ups wait: so where there is no LiveKit it is
   * unrecognised for whoever asks.
   */
  @WhileSuspended()
  @OptionallyAuthenticated()
  @RateLimited('call')
  @Post('rtc/livekit/delegate_delayed_leave')
  @HttpCode(200)
  async delegate(
    @FindRequester() requester: Requester | undefined,
    @JsonBody(undefined, { allowEmpty: true }) body: JsonObject,
  ): Promise<object> {
    const { livekit } = this.config;
    if (livekit === undefined) throw new MatrixError('M_UNRECOGNIZED');
    if (requester === undefined) throw new MatrixError('M_MISSING_TOKEN');
    const { userId } = requester;
    const { url, roomId, slotId, ...member } = readCallTokenRequest(body);
    if (url !== livekit.url) throw notCarriedThere();
    const identity = liveKitIdentityOf({ userId, ...member });
    await this.delegating.delegate({ userId, roomId, slotId, identity, delayId: readDelayId(body['delay_id']) });
    return {};
  }
}

function readDelayId(delayId: JsonValue | undefined): string {
  if (typeof delayId === 'string') return delayId;
  throw new MatrixError(delayId === undefined ? 'M_MISSING_PARAM' : 'M_BAD_JSON', 'delay_id: must be a text');
}
