import { Controller, Get, Inject, Param, Put, Query, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ArrayMaxSize, IsBoolean, IsOptional, IsString } from 'class-validator';
import type { FastifyReply } from 'fastify';
import { causeOf } from '#accounts/accounts';
import { ProvideAccount } from '#accounts/commands/provide-account';
import { parseThreepid } from '#accounts/threepids/threepid';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody, ListOf } from '#http/json-body';
import { type Query as QueryOfUrl, queryBoolean, queryEnum, queryInteger, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { listUsers, ORDERS } from '../users/list-users.js';
import { Users } from '../users/users.js';
import { readLocalUser } from './read-local-user.js';

const MOST_LISTED = 1_000;
const USUALLY_LISTED = 100;
const MOST_OF_EACH = 50;

class ThreepidBody {
  @IsString() medium!: string;
  @IsString() address!: string;
}

class ExternalIdBody {
  @IsString() auth_provider!: string;
  @IsString() external_id!: string;
}

class UserBody {
  @IsOptional() @IsString() password?: string | null;
  @IsOptional() @IsBoolean() logout_devices?: boolean | null;
  @IsOptional() @IsString() displayname?: string | null;
  @IsOptional() @IsString() avatar_url?: string | null;
  @IsOptional() @ListOf(ThreepidBody) @ArrayMaxSize(MOST_OF_EACH) threepids?: ThreepidBody[] | null;
  @IsOptional() @ListOf(ExternalIdBody) @ArrayMaxSize(MOST_OF_EACH) external_ids?: ExternalIdBody[] | null;
  @IsOptional() @IsBoolean() admin?: boolean | null;
  @IsOptional() @IsBoolean() deactivated?: boolean | null;
  @IsOptional() @IsBoolean() locked?: boolean | null;
  @IsOptional() @IsString() user_type?: string | null;
}

/** The users of this server, for administrators: not of the specification, but what Matrix tools of operators call. */
@Controller('_synapse/admin')
@AdminsOnly()
@RateLimited('default')
export class UsersController {
  constructor(
    private readonly commands: CommandBus,
    private readonly users: Users,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** Closed accounts are left out unless they are asked for. */
  @RateLimited('search')
  @Get('v2/users')
  list(@Query() query: QueryOfUrl): Promise<object> {
    return this.#list(query, (deactivated) => (deactivated === true ? undefined : false));
  }

  /** Closed accounts alone, or the others, where one of them is asked for. */
  @RateLimited('search')
  @Get('v3/users')
  listV3(@Query() query: QueryOfUrl): Promise<object> {
    return this.#list(query, (deactivated) => deactivated);
  }

  @Get('v2/users/:userId')
  find(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    return this.users.describe(readLocalUser(requester, user));
  }

  @Put('v2/users/:userId')
  async provide(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(UserBody) body: UserBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const userId = readLocalUser(requester, user);
    const wanted = wantedOf(body);
    if (await this.commands.execute(new ProvideAccount(userId, wanted, causeOf(requester)))) reply.status(201);
    return this.users.describe(userId);
  }

  async #list(query: QueryOfUrl, readClosed: (asked: boolean | undefined) => boolean | undefined): Promise<object> {
    const from = queryInteger(query, 'from') ?? 0;
    const limit = queryInteger(query, 'limit', { cap: MOST_LISTED }) ?? USUALLY_LISTED;
    const { users, total } = await listUsers(this.views, (userId) => this.users.lastSeen(userId), {
      name: queryText(query, 'name'),
      userId: queryText(query, 'user_id'),
      guests: queryBoolean(query, 'guests') === false ? false : undefined,
      admins: queryBoolean(query, 'admins'),
      deactivated: readClosed(queryBoolean(query, 'deactivated')),
      locked: queryBoolean(query, 'locked') === true ? undefined : false,
      order: queryEnum(query, 'order_by', ORDERS) ?? 'name',
      isBackwards: queryEnum(query, 'dir', ['f', 'b']) === 'b',
      from,
      limit,
    });
    const next = from + users.length;
    return { users, total, ...(next < total && users.length > 0 ? { next_token: String(next) } : {}) };
  }
}

/** `null` is as good as nothing, but of what may be unset: a name and a picture. Throws M_INVALID_PARAM for a type of user: there are none here. */
function wantedOf(body: UserBody) {
  const { user_type: type, displayname, avatar_url: avatar } = body;
  if (type !== undefined && type !== null && type !== '') {
    throw new MatrixError('M_INVALID_PARAM', 'user_type: there are no types of users here');
  }
  return {
    password: body.password ?? undefined,
    keepsSessions: body.logout_devices === false,
    displayname: displayname === null ? '' : displayname,
    avatarUrl: avatar === null ? '' : avatar,
    threepids: body.threepids?.map(({ medium, address }) => parseThreepid(medium, address)),
    externalIds: body.external_ids?.map((id) => ({ provider: id.auth_provider, subject: id.external_id })),
    admin: body.admin ?? undefined,
    locked: body.locked ?? undefined,
    isClosed: body.deactivated ?? undefined,
  };
}
