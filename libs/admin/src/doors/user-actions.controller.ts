import { Controller, Get, HttpCode, Inject, Optional, Param, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsBoolean, IsOptional, IsString } from 'class-validator';
import { causeOf } from '#accounts/accounts';
import { ChangePassword } from '#accounts/commands/change-password';
import { DeactivateAccount } from '#accounts/commands/deactivate-account';
import { ProvideAccount } from '#accounts/commands/provide-account';
import { listThreepids } from '#accounts/queries/threepids';
import { BOUND_ELSEWHERE, type BoundElsewhere } from '#accounts/threepids/bound-elsewhere';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { listJoinedRooms, listUserRooms } from '#rooms/queries/list-user-rooms';
import { Users } from '../users/users.js';
import { readLocalUser } from './read-local-user.js';

class DeactivateBody {
  @IsOptional() @IsBoolean() erase?: boolean | null;
}

class PasswordBody {
  @IsString() new_password!: string;
  @IsOptional() @IsBoolean() logout_devices?: boolean | null;
}

class AdminBody {
  @IsBoolean() admin!: boolean;
}

/** What administrators do to one user, and look up of them, in the manner of `UsersController`. */
@Controller('_synapse/admin/v1')
@AdminsOnly()
@RateLimited('default')
export class UserActionsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly users: Users,
    @Inject(VIEWS) private readonly views: Views,
    @Optional() @Inject(BOUND_ELSEWHERE) private readonly bound?: BoundElsewhere,
  ) {}

  /** For ever, but where `PUT /v2/users/{userId}` opens it again. */
  @HttpCode(200)
  @Post('deactivate/:userId')
  async deactivate(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(DeactivateBody, { allowEmpty: true }) { erase }: DeactivateBody,
  ): Promise<object> {
    const userId = readLocalUser(requester, user);
    const forget = await this.bound?.planForgetting(userId, await listThreepids(this.views, userId));
    await this.commands.execute(new DeactivateAccount(userId, erase === true, causeOf(requester), true));
    return { id_server_unbind_result: (await forget?.()) ?? 'success' };
  }

  @HttpCode(200)
  @Post('reset_password/:userId')
  async resetPassword(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(PasswordBody) { new_password: password, logout_devices: logoutDevices }: PasswordBody,
  ): Promise<object> {
    const userId = readLocalUser(requester, user);
    const change = { password, logoutDevices: logoutDevices !== false, isOperators: true } as const;
    await this.commands.execute(new ChangePassword(userId, change, causeOf(requester)));
    return {};
  }

  @Get('users/:userId/admin')
  async isAdmin(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    const { admin } = await this.users.getAccount(readLocalUser(requester, user));
    return { admin: admin === true };
  }

  @Put('users/:userId/admin')
  async setAdmin(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(AdminBody) { admin }: AdminBody,
  ): Promise<object> {
    const userId = readLocalUser(requester, user);
    await this.users.getAccount(userId);
    await this.commands.execute(new ProvideAccount(userId, { admin }, causeOf(requester)));
    return {};
  }

  @Get('users/:userId/joined_rooms')
  async joinedRooms(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    const userId = readLocalUser(requester, user);
    await this.users.getAccount(userId);
    const joined = await listJoinedRooms(this.views, userId);
    return { joined_rooms: joined, total: joined.length };
  }

  @Get('users/:userId/memberships')
  async memberships(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    const userId = readLocalUser(requester, user);
    await this.users.getAccount(userId);
    const rooms = [...(await listUserRooms(this.views, userId))];
    return { memberships: Object.fromEntries(rooms.map(([roomId, { membership }]) => [roomId, membership])) };
  }
}
