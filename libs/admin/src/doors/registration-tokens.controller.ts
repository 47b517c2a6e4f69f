import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { causeOf } from '#accounts/accounts';
import { ChangeRegistrationToken } from '#accounts/commands/change-registration-token';
import { CreateRegistrationToken } from '#accounts/commands/create-registration-token';
import { newRegistrationToken } from '#accounts/credentials/secrets';
import { findRegistrationToken, listRegistrationTokens, type ListedToken } from '#accounts/queries/registration-tokens';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { checkDto, JsonBody } from '#http/json-body';
import { type Query as QueryValues, queryEnum } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { CLOCK, type Clock } from '#kernel/clock';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';

const MOST = Number.MAX_SAFE_INTEGER;
const MOST_LETTERS = 64;

class LimitsBody {
  @IsOptional() @IsInt() @Min(0) @Max(MOST) uses_allowed?: number;
  @IsOptional() @IsInt() @Min(0) @Max(MOST) expiry_time?: number;
}

class NewTokenBody extends LimitsBody {
  @IsOptional() @IsString() token?: string;
  /** Of one that is made up. */
  @IsOptional() @IsInt() @Min(1) @Max(MOST_LETTERS) length?: number;
}

/** Tokens with which people register, made and withdrawn by administrators: not of the specification, but what Matrix tools use. */
@Controller('_synapse/admin/v1/registration_tokens')
@AdminsOnly()
@RateLimited('default')
export class RegistrationTokensController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  async list(@Query() query: QueryValues): Promise<object> {
    const valid = queryEnum(query, 'valid', ['true', 'false']);
    const tokens = await listRegistrationTokens(this.views, this.clock.now());
    const wanted = valid === undefined ? tokens : tokens.filter(({ isValid }) => isValid === (valid === 'true'));
    return { registration_tokens: wanted.map(told) };
  }

  @Post('new')
  @HttpCode(200)
  async create(
    @CurrentRequester() requester: Requester,
    @JsonBody(NewTokenBody, { allowEmpty: true }) body: NewTokenBody,
  ): Promise<object> {
    const { token, length, uses_allowed: uses, expiry_time: expiresAt } = body;
    const creation = {
      ...(typeof uses === 'number' ? { uses_allowed: uses } : {}),
      ...(typeof expiresAt === 'number' ? { expires_at: expiresAt } : {}),
    };
    const name = token ?? newRegistrationToken(length ?? undefined);
    const command = new CreateRegistrationToken(creation, causeOf(requester), name, true);
    return this.#get(await this.commands.execute(command));
  }

  @Get(':token')
  get(@Param('token') token: string): Promise<object> {
    return this.#get(token);
  }

  @Put(':token')
  async change(
    @CurrentRequester() requester: Requester,
    @Param('token') token: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    const { uses_allowed: uses, expiry_time: expiresAt } = checkDto(LimitsBody, body);
    // `null`: without limit, and for ever.
    const change = {
      ...(body['uses_allowed'] === undefined ? {} : { uses: uses ?? null }),
      ...(body['expiry_time'] === undefined ? {} : { expiresAt: expiresAt ?? null }),
    };
    await this.commands.execute(new ChangeRegistrationToken(token, change, causeOf(requester)));
    return this.#get(token);
  }

  @Delete(':token')
  async revoke(@CurrentRequester() requester: Requester, @Param('token') token: string): Promise<object> {
    await this.#get(token);
    await this.commands.execute(new ChangeRegistrationToken(token, 'revoke', causeOf(requester)));
    return {};
  }

  async #get(name: string): Promise<object> {
    const token = await findRegistrationToken(this.views, name, this.clock.now());
    if (token === undefined) throw new MatrixError('M_NOT_FOUND', 'No such registration token');
    return told(token);
  }
}

/** A use is taken before the account is there, and given back where it comes to nothing: none is pending for long. */
function told({ name, used, uses_allowed: uses, expires_at: expiry }: ListedToken): object {
  return { token: name, uses_allowed: uses ?? null, pending: 0, completed: used, expiry_time: expiry ?? null };
}
