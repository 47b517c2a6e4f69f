import { Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { LogIn } from '../../commands/log-in.js';
import { PasswordCheck } from '../../sessions/password-check.js';

/** The end of a login or registration in the API of 2015. */
export interface CredentialsV1 {
  readonly user_id: UserId;
  readonly access_token: string;
  readonly home_server: ServerName;
}

/** Login in the API of 2015 (section "Registration and Login"): one flow of one stage, no choice of device. */
@Controller(`${V1}/login`)
export class LoginV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly passwords: PasswordCheck,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  flows(): { flows: readonly { type: string }[] } {
    return { flows: [{ type: 'm.login.password' }] };
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post()
  async login(@JsonBody() body: JsonObject, @Req() request: FastifyRequest): Promise<CredentialsV1> {
    if (body['type'] === undefined) throw new MatrixError('M_MISSING_PARAM', 'type: required');
    if (body['type'] !== 'm.login.password') throw new MatrixError('M_UNKNOWN', 'Bad login type', { status: 400 });
    const claim = this.passwords.parseClaim(body);
    const { userId, tokens } = await this.commands.execute(new LogIn(claim, {}, request.id));
    return { user_id: userId, access_token: tokens.access_token, home_server: this.config.serverName };
  }
}
