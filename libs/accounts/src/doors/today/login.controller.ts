import { Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsBoolean, IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { AppServices } from '#config/appservices/app-services';
import { CONFIG, type Config } from '#config/config';
import { TODAY, under } from '#http/client-paths';
import { BY_SERVICE, getAppService } from '#http/find-app-service';
import { checkDto, JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { LogInForService } from '../../commands/log-in-for-service.js';
import { LogIn } from '../../commands/log-in.js';
import { RefreshSession } from '../../commands/refresh-session.js';
import { OfferedLogins } from '../../interactive-auth/offered-logins.js';
import { SteppedAuth } from '../../interactive-auth/stepped-auth.js';
import type { IssuedTokens } from '../../sessions/issue-tokens.js';
import { PasswordCheck } from '../../sessions/password-check.js';
import { type SessionBody, sessionBody } from '../../sessions/session-body.js';

class LoginBody {
  @IsString() type!: string;
  @IsOptional() @IsString() device_id?: string;
  @IsOptional() @IsString() initial_device_display_name?: string;
  @IsOptional() @IsBoolean() refresh_token?: boolean;
}

class RefreshBody {
  @IsString() refresh_token!: string;
}

/** POST /login and /refresh (client-server API, "Login", "Refreshing access tokens"). */
@RateLimited('default')
@Controller()
export class LoginController {
  constructor(
    private readonly commands: CommandBus,
    private readonly passwords: PasswordCheck,
    @Inject(CONFIG) private readonly config: Config,
    private readonly services: AppServices,
    private readonly auth: SteppedAuth,
    private readonly offered: OfferedLogins,
  ) {}

  @Get(under(TODAY, 'login'))
  flows(): { flows: readonly JsonObject[] } {
    const ofServices = this.services.all.length === 0 || this.config.mas !== undefined ? [] : [{ type: BY_SERVICE }];
    return { flows: [...this.offered.list(), ...ofServices] };
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post(under(TODAY, 'login'))
  async login(@JsonBody() body: JsonObject, @Req() request: FastifyRequest): Promise<SessionBody | JsonObject> {
    const parameters = checkDto(LoginBody, body);
    const options = {
      deviceId: parameters.device_id,
      initialDeviceDisplayName: parameters.initial_device_display_name,
      refreshToken: parameters.refresh_token,
    };
    if (parameters.type === BY_SERVICE) {
      // "Appservice Login" names this code.
      const service = getAppService(request, 'M_FORBIDDEN');
      // No tokens count but those of the authentication service.
      if (this.config.mas !== undefined) throw new MatrixError('M_APPSERVICE_LOGIN_UNSUPPORTED');
      const user = await this.passwords.parseUser(body);
      return this.#open(new LogInForService(service, user, options, request.id));
    }
    const step = await this.auth.step(this.offered.operation, body, request);
    if (!step.isDone) return step.answer;
    await this.auth.spend(step.session);
    return this.#open(new LogIn(step.session.learnt, options, request.id));
  }

  async #open(login: LogIn | LogInForService): Promise<SessionBody> {
    const loggedIn = await this.commands.execute(login);
    return sessionBody(loggedIn.userId, this.config.serverName, loggedIn);
  }

  @HttpCode(200)
  @Post(under(TODAY, 'refresh'))
  refresh(@JsonBody(RefreshBody) body: RefreshBody, @Req() request: FastifyRequest): Promise<IssuedTokens> {
    return this.commands.execute(new RefreshSession(body.refresh_token, request.id));
  }
}
