import { Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { V1 } from '#http/client-paths';
import { getAppService } from '#http/find-app-service';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { localpartOf, parseUserId, serverNameOf } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type NewAccount, RegisterAccount } from '../../commands/register-account.js';

import { type AuthSession, AuthSessions, type Stage } from '../../interactive-auth/auth-sessions.js';
import { RegistrationRules } from '../../registration-rules.js';
import { RegistrationTokens } from '../../registration-tokens.js';
import type { CredentialsV1 } from './login-v1.controller.js';

class RegisterV1Body {
  @IsString() type!: string;
  @IsOptional() @IsString() session?: string;
  @IsOptional() @IsString() user?: string;
  @IsOptional() @IsString() password?: string;
  @IsOptional() @IsString() token?: string;
}

interface NextStageV1 {
  readonly next: Stage;
  readonly session: string;
}

const PASSWORD: Stage = 'm.login.password';
const TOKEN: Stage = 'm.login.registration_token';
/** The session of a registration of 2015 can be used for nothing else. */
const OPERATION = Object.freeze({ name: 'POST /api/v1/register', flows: [[TOKEN, PASSWORD]] as const });

/**
 * Registration in the API of 2015 (section "Registration and Login"): where registration is open one stage, a user name and a
 * password; where it needs a token, that stage comes before and opens a session.
 */
@Controller(`${V1}/register`)
export class RegisterV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly rules: RegistrationRules,
    private readonly tokens: RegistrationTokens,
    private readonly sessions: AuthSessions,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  flows(): { flows: readonly { type: Stage; stages?: readonly Stage[] }[] } {
    if (this.rules.getMode() === 'open') return { flows: [{ type: PASSWORD }] };
    return { flows: [{ type: TOKEN, stages: [TOKEN, PASSWORD] }] };
  }

  @RateLimited('registration')
  @HttpCode(200)
  @Post()
  async register(
    @JsonBody(RegisterV1Body) body: RegisterV1Body,
    @Req() request: FastifyRequest,
  ): Promise<CredentialsV1 | NextStageV1> {
    if (body.type === 'm.login.application_service') return this.#registerForService(body, request);
    const mode = this.rules.getMode();
    if (mode === 'token' && body.type === TOKEN) return this.#showToken(body);
    if (body.type !== PASSWORD) throw new MatrixError('M_UNKNOWN', 'Bad login type', { status: 400 });
    if (mode === 'open') return this.#register(body, undefined, request.id);
    const session = body.session === undefined ? undefined : this.sessions.find(body.session);
    if (session?.operation.name !== OPERATION.name) {
      throw new MatrixError('M_FORBIDDEN', `Registration begins with the stage ${TOKEN}`);
    }
    const credentials = await this.#register(body, session, request.id);
    this.sessions.close(session);
    return credentials;
  }

  /** Application service API of 2015, "Server admin style permissions": without a password, by the token of the service. */
  async #registerForService({ user }: RegisterV1Body, request: FastifyRequest): Promise<CredentialsV1> {
    const service = getAppService(request);
    if (user === undefined) throw new MatrixError('M_MISSING_PARAM', 'user: required');
    const account = { username: this.#usernameOf(user), via: 'application-service', service } as const;
    return this.#make({ ...account, session: {}, requestId: request.id });
  }

  async #showToken({ token }: RegisterV1Body): Promise<NextStageV1> {
    if (token === undefined) throw new MatrixError('M_MISSING_PARAM', 'token: required');
    if (!(await this.tokens.isUsable(token))) throw new MatrixError('M_FORBIDDEN', 'Invalid registration token');
    const session = this.sessions.open(OPERATION, {});
    session.completed.push(TOKEN);
    session.registrationToken = token;
    return { next: PASSWORD, session: session.id };
  }

  async #register(body: RegisterV1Body, session: AuthSession | undefined, requestId: string): Promise<CredentialsV1> {
    if (body.password === undefined) throw new MatrixError('M_MISSING_PARAM', 'password: required');
    return this.#make({
      username: this.#usernameOf(body.user),
      via: this.rules.via,
      password: body.password,
      registrationToken: session?.registrationToken,
      session: {},
      requestId,
    });
  }

  async #make(wanted: NewAccount): Promise<CredentialsV1> {
    const account = await this.commands.execute(new RegisterAccount(wanted));
    return {
      user_id: account.userId,
      access_token: account.session!.tokens.access_token, // A session was asked for.
      home_server: this.config.serverName,
    };
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
