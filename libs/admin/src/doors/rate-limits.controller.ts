import { Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { causeOf } from '#accounts/accounts';
import { OverrideRateLimit } from '#accounts/commands/override-rate-limit';
import { findAccount } from '#accounts/queries/find-account';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { readLocalUser } from './read-local-user.js';

const MOST = 1_000_000;

class OverrideBody {
  @IsOptional() @IsInt() @Min(0) @Max(MOST) messages_per_second?: number;
  @IsOptional() @IsInt() @Min(0) @Max(MOST) burst_count?: number;
}

/**
 * How much a user may ask for, in place of the limits of each class of requests: by administrators. Not of the specification, but what Matrix
 * tools use. None a second: no limit at all.
 */
@Controller('_synapse/admin/v1/users/:userId/override_ratelimit')
@AdminsOnly()
@RateLimited('default')
export class RateLimitsController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Get()
  async find(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    const account = await findAccount(this.views, readLocalUser(requester, user));
    if (account === undefined) throw new MatrixError('M_NOT_FOUND', 'No such user');
    const { rate_limit: limit } = account;
    return limit === undefined ? {} : { messages_per_second: limit.per_second, burst_count: limit.burst };
  }

  @Post()
  @HttpCode(200)
  async override(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(OverrideBody, { allowEmpty: true }) body: OverrideBody,
  ): Promise<object> {
    const { messages_per_second: perSecond = 0, burst_count: burst = 0 } = body;
    const userId = readLocalUser(requester, user);
    const limit = { per_second: perSecond, burst };
    await this.commands.execute(new OverrideRateLimit(userId, limit, causeOf(requester)));
    return { messages_per_second: perSecond, burst_count: burst };
  }

  @Delete()
  async restore(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    const userId = readLocalUser(requester, user);
    await this.commands.execute(new OverrideRateLimit(userId, undefined, causeOf(requester)));
    return {};
  }
}
