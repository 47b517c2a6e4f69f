import { Controller, Get, Inject, Param, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsBoolean } from 'class-validator';
import { causeOf } from '#accounts/accounts';
import { RestrictAccount } from '#accounts/commands/restrict-account';
import type { Restriction } from '#accounts/facts/account-facts';
import { getRestriction } from '#accounts/queries/get-restriction';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { readLocalUser } from './read-local-user.js';

class LockBody {
  @IsBoolean() locked!: boolean;
}

class SuspendBody {
  @IsBoolean() suspended!: boolean;
}

class SynapseSuspendBody {
  @IsBoolean() suspend!: boolean;
}

/**
 * Accounts that nobody may use, and such as are only to read with: client-server API, "Server Administration" (v1.18); in the form that
 * Matrix tools know from Synapse too. For administrators, who do it to others that are none.
 */
@Controller()
@AdminsOnly()
@RateLimited('default')
export class RestrictionsController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Get('_matrix/client/v1/admin/lock/:userId')
  async isLocked(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    return { locked: await this.#is('locked', requester, user) };
  }

  @Put('_matrix/client/v1/admin/lock/:userId')
  async lock(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(LockBody) { locked }: LockBody,
  ): Promise<object> {
    await this.#set('locked', requester, user, locked);
    return { locked };
  }

  @Get('_matrix/client/v1/admin/suspend/:userId')
  async isSuspended(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    return { suspended: await this.#is('suspended', requester, user) };
  }

  @Put('_matrix/client/v1/admin/suspend/:userId')
  async suspend(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(SuspendBody) { suspended }: SuspendBody,
  ): Promise<object> {
    await this.#set('suspended', requester, user, suspended);
    return { suspended };
  }

  @Put('_synapse/admin/v1/suspend/:userId')
  async suspendAsSynapse(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(SynapseSuspendBody) { suspend }: SynapseSuspendBody,
  ): Promise<object> {
    const userId = await this.#set('suspended', requester, user, suspend);
    return { [`user_${userId}_suspended`]: suspend };
  }

  #is(restriction: Restriction, requester: Requester, user: string): Promise<boolean> {
    return getRestriction(this.views, readLocalUser(requester, user), restriction);
  }

  async #set(restriction: Restriction, requester: Requester, user: string, isOn: boolean): Promise<UserId> {
    const userId = readLocalUser(requester, user);
    await this.commands.execute(new RestrictAccount(userId, restriction, isOn, causeOf(requester)));
    return userId;
  }
}
