import { Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { V1 } from '#http/client-paths';
import { getAppService } from '#http/find-app-service';
import { checkDto, JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { localpartOf, parseUserId, serverNameOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { type NewAccount, RegisterAccount } from '../../commands/register-account.js';
import type { AuthSession } from '../../interactive-auth/auth-sessions.js';
import { SteppedAuth } from '../../interactive-auth/stepped-auth.js';
import { learntForAccount } from '../../interactive-auth/learnt-for-account.js';
import { RegistrationRules } from '../../registration-rules.js';
import { type FlowV1, flowsV1 } from './flows-v1.js';
import { type CredentialsV1, wantsRefresh } from './login-v1.controller.js';

class RegisterV1Body {
  @IsOptional() @IsString() user?: string;
  @IsOptional() @IsString() password?: string;
}

/**
 * Registration in the API of 2015 (section "Registration and Login"): the last stage is a user name and a password; what
 * registration needs besides, a token of the operator's or a captcha, are stages before it.
 */
@RateLimited('default')
@Controller(`${V1}/register`)
export class RegisterV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly rules: RegistrationRules,
    private readonly auth: SteppedAuth,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  flows(): { flows: readonly FlowV1[] } {
    return { flows: flowsV1(this.rules.getFlows('v1')) };
  }

  @RateLimited('registration')
  @HttpCode(200)
  @Post()
  async register(@JsonBody() body: JsonObject, @Req() request: FastifyRequest): Promise<CredentialsV1 | JsonObject> {
    if (body['type'] === 'm.login.application_service') return this.#registerForService(body, request);
    const flows = this.rules.getFlows('v1');
    const step = await this.auth.step({ name: 'POST /api/v1/register', purpose: 'registration', flows }, body, request);
    if (!step.isDone) return step.answer;
    return this.#register(body, step.session, request.id);
  }

  /** Application service API of 2015, "Server admin style permissions": without a password, by the token of the service. */
  async #registerForService(body: JsonObject, request: FastifyRequest): Promise<CredentialsV1> {
    const service = getAppService(request);
    const { user } = checkDto(RegisterV1Body, body);
    if (user === undefined) throw new MatrixError('M_MISSING_PARAM', 'user: required');
    const account = { username: this.#usernameOf(user), via: 'application-service', service } as const;
    return this.#make({ ...account, session: {}, requestId: request.id });
  }

  async #register(body: JsonObject, session: AuthSession, requestId: string): Promise<CredentialsV1> {
    const { user, password } = checkDto(RegisterV1Body, body);
    const refreshToken = wantsRefresh(body);
    const username = this.#usernameOf(user);
    await this.rules.checkWanted(username, password);
    await this.auth.spend(session);
    return this.#make({
      username,
      via: this.rules.via,
      password,
      ...learntForAccount(session.learnt),
      session: { refreshToken },
      requestId,
    });
  }

  async #make(wanted: NewAccount): Promise<CredentialsV1> {
    const account = await this.commands.execute(new RegisterAccount(wanted));
    // A session was asked for.
    return { user_id: account.userId, ...account.session!.tokens, home_server: this.config.serverName };
  }

  /** `user` is a localpart or, as the specification of 2015 allows, a whole user id of this server. */
  #usernameOf(user: string | undefined): string | undefined {
    if (user?.startsWith('@') !== true) return user;
    const userId = parseUserId(user, this.config.serverName);
    if (serverNameOf(userId) !== this.config.serverName) {
      throw new MatrixError('M_INVALID_USERNAME', 'This user ID belongs to another server');
    }
    return localpartOf(userId);
  }
}
