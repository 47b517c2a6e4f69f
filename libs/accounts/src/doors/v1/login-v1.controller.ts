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
import { Flows } from '../../interactive-auth/flows.js';
import { SteppedAuth } from '../../interactive-auth/stepped-auth.js';
import { type FlowV1, flowsV1 } from './flows-v1.js';

/** The end of a login or registration in the API of 2015. */
export interface CredentialsV1 {
  readonly user_id: UserId;
  readonly access_token: string;
  /** Of who asked for one (`wantsRefresh`). */
  readonly refresh_token?: string;
  readonly expires_in_ms?: number;
  readonly home_server: ServerName;
}

/**
 * Whether a body, the one that completes the last stage, asks for a token for `/tokenrefresh`, as bodies of today do: to who does not know of that the access token is not to end
 * one day. Throws M_BAD_JSON.
 */
export function wantsRefresh({ refresh_token: wanted }: JsonObject): boolean {
  if (wanted !== undefined && typeof wanted !== 'boolean')
    throw new MatrixError('M_BAD_JSON', 'refresh_token: must be a boolean');
  return wanted === true;
}

/** Login in the API of 2015 (section "Registration and Login"): flows of one stage or several, no choice of device. */
@RateLimited('default')
@Controller(`${V1}/login`)
export class LoginV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly auth: SteppedAuth,
    private readonly flows: Flows,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  list(): { flows: readonly FlowV1[] } {
    return { flows: flowsV1(this.flows.toLogIn('v1')) };
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post()
  async login(@JsonBody() body: JsonObject, @Req() request: FastifyRequest): Promise<CredentialsV1 | JsonObject> {
    const flows = this.flows.toLogIn('v1');
    const refreshToken = wantsRefresh(body);
    const step = await this.auth.step({ name: 'POST /api/v1/login', purpose: 'login', flows }, body, request);
    if (!step.isDone) return step.answer;
    await this.auth.spend(step.session);
    const login = new LogIn(step.session.learnt, { refreshToken }, request.id);
    const { userId, tokens } = await this.commands.execute(login);
    return { user_id: userId, ...tokens, home_server: this.config.serverName };
  }
}
