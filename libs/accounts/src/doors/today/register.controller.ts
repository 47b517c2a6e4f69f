import { Controller, Get, HttpCode, Inject, Post, Query, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsBoolean, IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { ACCESS_TOKENS, type AccessTokens } from '#http/access-tokens';
import { TODAY, TODAY_AND_ALPHA, under } from '#http/client-paths';
import { getAppService } from '#http/find-app-service';
import { checkDto, JsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, queryText, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { foldLocalpart, localpartOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { RegisterAccount } from '../../commands/register-account.js';
import type { AuthSession } from '../../interactive-auth/auth-sessions.js';
import { InteractiveAuth } from '../../interactive-auth/interactive-auth.js';
import { learntForAccount } from '../../interactive-auth/learnt-for-account.js';
import { RegistrationRules } from '../../registration-rules.js';
import { RegistrationTokens } from '../../registration-tokens.js';
import type { SessionOptions } from '../../sessions/issue-tokens.js';
import { type SessionBody, sessionBody } from '../../sessions/session-body.js';

class RegisterBody {
  @IsOptional() @IsString() username?: string;
  @IsOptional() @IsString() password?: string;
  @IsOptional() @IsString() device_id?: string;
  @IsOptional() @IsString() initial_device_display_name?: string;
  @IsOptional() @IsBoolean() inhibit_login?: boolean;
  @IsOptional() @IsBoolean() refresh_token?: boolean;
  @IsOptional() @IsString() guest_access_token?: string;
}

/** Registration (client-server API, "Account registration"). */
@Controller()
export class RegisterController {
  constructor(
    private readonly commands: CommandBus,
    private readonly auth: InteractiveAuth,
    private readonly rules: RegistrationRules,
    private readonly tokens: RegistrationTokens,
    @Inject(ACCESS_TOKENS) private readonly accessTokens: AccessTokens,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @RateLimited('registration')
  @HttpCode(200)
  @Post(under(TODAY_AND_ALPHA, 'register'))
  async register(
    @JsonBody() body: JsonObject,
    @Query() query: QueryOfUrl,
    @Req() request: FastifyRequest,
  ): Promise<SessionBody> {
    if (body['type'] === 'm.login.application_service') return this.#registerForService(body, request);
    const kind = queryText(query, 'kind') ?? 'user';
    if (kind === 'guest') return this.#registerGuest(body, request.id);
    if (kind !== 'user') throw new MatrixError('M_INVALID_PARAM', 'kind: neither user nor guest');
    const operation = { name: 'POST /register', purpose: 'registration', flows: this.rules.getFlows() } as const;
    const wanted = checkDto(RegisterBody, body);
    const repeated = await this.auth.findResult<SessionBody>(operation, body);
    if (repeated !== undefined) return repeated;
    // Before any authentication, as the specification demands; and once more when the account is made.
    const upgradesGuest = await this.#upgradesGuest(wanted);
    if (!upgradesGuest && wanted.username !== undefined) await this.rules.checkFree(wanted.username);
    const session = await this.auth.authorise(operation, body, request);
    return this.auth.doOnce(session, () => this.#register(session, request.id));
  }

  @RateLimited('registration')
  @Get(under(TODAY, 'register/available'))
  async available(@Query() query: QueryOfUrl): Promise<{ available: true }> {
    this.rules.getMode();
    await this.rules.checkFree(requiredText(query, 'username'));
    return { available: true };
  }

  @RateLimited('registration')
  @Get('_matrix/client/v1/register/m.login.registration_token/validity')
  async validity(@Query() query: QueryOfUrl): Promise<{ valid: boolean }> {
    this.rules.getMode();
    return { valid: await this.tokens.isUsable(requiredText(query, 'token')) };
  }

  /** Application service API, "Server admin style permissions". */
  async #registerForService(body: JsonObject, request: FastifyRequest): Promise<SessionBody> {
    const service = getAppService(request);
    const wanted = checkDto(RegisterBody, body);
    if (wanted.username === undefined) throw new MatrixError('M_MISSING_PARAM', 'username: required');
    const session = wanted.inhibit_login === true ? undefined : sessionOf(wanted);
    if (session !== undefined && this.config.mas !== undefined) {
      throw new MatrixError('M_APPSERVICE_LOGIN_UNSUPPORTED', '"inhibit_login": true is needed');
    }
    const account = await this.commands.execute(
      new RegisterAccount({
        username: wanted.username,
        via: 'application-service',
        service,
        session,
        requestId: request.id,
      }),
    );
    return sessionBody(account.userId, this.config.serverName, account.session);
  }

  /** Guests need no authentication, and choose nothing but the name of their device. */
  async #registerGuest(body: JsonObject, requestId: string): Promise<SessionBody> {
    this.rules.checkGuestsWelcome();
    const { initial_device_display_name: initialDeviceDisplayName } = checkDto(RegisterBody, body);
    const account = await this.commands.execute(
      new RegisterAccount({ via: this.rules.via, guest: true, session: { initialDeviceDisplayName }, requestId }),
    );
    return sessionBody(account.userId, this.config.serverName, account.session);
  }

  /**
   * Whether a guest asks to become a user, under the same user id (module "Guest Access"). Throws M_FORBIDDEN where the token
   * is not that guest's, M_UNKNOWN_TOKEN.
   */
  async #upgradesGuest({ guest_access_token: token, username }: RegisterBody): Promise<boolean> {
    if (token === undefined) return false;
    const { userId, isGuest } = await this.accessTokens.requesterOf(token);
    if (isGuest === true && username !== undefined && localpartOf(userId) === foldLocalpart(username)) return true;
    throw new MatrixError('M_FORBIDDEN', 'guest_access_token: not of a guest with this user name');
  }

  async #register({ body, learnt }: AuthSession, requestId: string): Promise<SessionBody> {
    const wanted = checkDto(RegisterBody, body);
    if (typeof wanted.password !== 'string') throw new MatrixError('M_MISSING_PARAM', 'password: required');
    const account = await this.commands.execute(
      new RegisterAccount({
        username: wanted.username,
        via: this.rules.via,
        password: wanted.password,
        upgradesGuest: await this.#upgradesGuest(wanted),
        ...learntForAccount(learnt),
        session: wanted.inhibit_login === true ? undefined : sessionOf(wanted),
        requestId,
      }),
    );
    return sessionBody(account.userId, this.config.serverName, account.session);
  }
}

function sessionOf(wanted: RegisterBody): SessionOptions {
  return {
    deviceId: wanted.device_id,
    initialDeviceDisplayName: wanted.initial_device_display_name,
    refreshToken: wanted.refresh_token,
  };
}
