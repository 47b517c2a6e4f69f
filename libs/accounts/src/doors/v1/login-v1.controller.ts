import { Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { LogIn } from '../../commands/log-in.js';
import { Flows } from '../../interactive-auth/flows.js';
import { SteppedAuth } from '../../interactive-auth/stepped-auth.js';
import { type FlowV1, flowsV1 } from './flows-v1.js';

/** The end of a login or registration in the API of 2015. */
export interface CredentialsV1 {
  readonly user_id: UserId;
  readonly access_token: string;
  readonly home_server: ServerName;
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
    const step = await this.auth.step({ name: 'POST /api/v1/login', purpose: 'login', flows }, body, request);
    if (!step.isDone) return step.answer;
    await this.auth.spend(step.session);
    const { userId, tokens } = await this.commands.execute(new LogIn(step.session.learnt, {}, request.id));
    return { user_id: userId, access_token: tokens.access_token, home_server: this.config.serverName };
  }
}
