import { Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { causeOf } from '#accounts/accounts';
import { IssueLoginToken } from '#accounts/commands/issue-login-token';
import { Flows } from '#accounts/interactive-auth/flows';
import { InteractiveAuth } from '#accounts/interactive-auth/interactive-auth';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester, NotByOAuth, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';

/** The time that the specification recommends. */
const LIFETIME_MS = 120_000;

/** Who is logged in logs another client in (client-server API, POST /login/get_token). */
@WhileSuspended()
@Authenticated()
@OwnersOnly()
@NotByOAuth()
@Controller('_matrix/client/v1/login/get_token')
export class LoginTokenController {
  constructor(
    private readonly commands: CommandBus,
    private readonly auth: InteractiveAuth,
    private readonly flows: Flows,
    @Inject(CONFIG) private readonly config: Pick<Config, 'sso'>,
  ) {}

  @RateLimited('login')
  @HttpCode(200)
  @Post()
  async issue(
    @CurrentRequester() requester: Requester,
    @JsonBody(undefined, { allowEmpty: true }) body: JsonObject,
  ): Promise<{ login_token: string; expires_in_ms: number }> {
    if (!this.config.sso.givesLoginTokens) throw new MatrixError('M_UNRECOGNIZED', 'There are no such tokens here');
    const { userId } = requester;
    const operation = await this.flows.confirmation('POST /login/get_token', userId);
    const session = await this.auth.authorise(operation, body);
    return this.auth.doAndClose(session, async () => {
      const token = await this.commands.execute(new IssueLoginToken(userId, LIFETIME_MS, causeOf(requester)));
      return { login_token: token, expires_in_ms: LIFETIME_MS };
    });
  }
}
