import { Controller, Get, HttpCode, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ArrayMaxSize, IsArray, IsBoolean, IsOptional, IsString } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { causeOf } from '#accounts/accounts';
import { ChangeProfile } from '#accounts/commands/change-profile';
import { DeactivateAccount } from '#accounts/commands/deactivate-account';
import { ReopenAccount } from '#accounts/commands/reopen-account';
import { RegistrationRules } from '#accounts/registration-rules';
import { JsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { AllowKeyReset } from '../commands/allow-key-reset.js';
import { FromMas } from '../mas/from-mas.js';
import { MasUsers } from '../mas/mas-users.js';
import { ProvisionUser } from '../mas/provision-user.js';

class UserBody {
  @IsString() localpart!: string;
}

class ProvisionBody extends UserBody {
  @IsOptional() @IsString() set_displayname?: string;
  @IsOptional() @IsBoolean() unset_displayname?: boolean;
  @IsOptional() @IsString() set_avatar_url?: string;
  @IsOptional() @IsBoolean() unset_avatar_url?: boolean;
  @IsOptional() @IsArray() @ArrayMaxSize(50) @IsString({ each: true }) set_emails?: string[];
  @IsOptional() @IsBoolean() unset_emails?: boolean;
  @IsOptional() @IsBoolean() locked?: boolean;
}

class DeleteBody extends UserBody {
  @IsOptional() @IsBoolean() erase?: boolean;
}

class NameBody extends UserBody {
  @IsString() displayname!: string;
}

/** What a Matrix Authentication Service has this server do with users, at the paths by which it asks Synapse. */
@RateLimited('default')
@UseGuards(FromMas)
@Controller('_synapse/mas')
export class MasController {
  constructor(
    private readonly users: MasUsers,
    private readonly provisioning: ProvisionUser,
    private readonly commands: CommandBus,
    private readonly rules: RegistrationRules,
    private readonly keyResets: AllowKeyReset,
  ) {}

  @Get('query_user')
  async query(@Query() query: QueryOfUrl, @Req() request: FastifyRequest): Promise<object> {
    const { requester, account } = await this.users.get(requiredText(query, 'localpart'), request.id);
    const { profile, suspended, deactivated } = account;
    return {
      user_id: requester.userId,
      display_name: profile.get('displayname')?.value ?? null,
      avatar_url: profile.get('avatar_url')?.value ?? null,
      is_suspended: suspended,
      is_deactivated: deactivated,
    };
  }

  @HttpCode(200)
  @Post('provision_user')
  async provision(
    @JsonBody(ProvisionBody) body: ProvisionBody,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const isNew = await this.provisioning.provision(this.users.named(body.localpart, request.id), {
      displayname: body.unset_displayname === true ? null : body.set_displayname,
      avatarUrl: body.unset_avatar_url === true ? null : body.set_avatar_url,
      emails: body.unset_emails === true ? [] : body.set_emails,
      isLocked: body.locked,
    });
    if (isNew) reply.status(201);
    return {};
  }

  @Get('is_localpart_available')
  async isAvailable(@Query() query: QueryOfUrl): Promise<object> {
    await this.rules.checkFree(requiredText(query, 'localpart'));
    return {};
  }

  @HttpCode(200)
  @Post('delete_user')
  async delete(@JsonBody(DeleteBody) body: DeleteBody, @Req() request: FastifyRequest): Promise<object> {
    const { requester } = await this.users.get(body.localpart, request.id);
    const erase = body.erase ?? false;
    await this.commands.execute(new DeactivateAccount(requester.userId, erase, causeOf(requester)));
    return {};
  }

  /** What it had is gone, and stays so. */
  @HttpCode(200)
  @Post('reactivate_user')
  async reactivate(@JsonBody(UserBody) { localpart }: UserBody, @Req() request: FastifyRequest): Promise<object> {
    const { requester } = await this.users.get(localpart, request.id);
    await this.commands.execute(new ReopenAccount(requester.userId, undefined, causeOf(requester)));
    return {};
  }

  @HttpCode(200)
  @Post('set_displayname')
  async setName(@JsonBody(NameBody) body: NameBody, @Req() request: FastifyRequest): Promise<object> {
    const { requester } = await this.users.get(body.localpart, request.id);
    await this.commands.execute(new ChangeProfile(requester, 'displayname', body.displayname));
    return {};
  }

  @HttpCode(200)
  @Post('unset_displayname')
  async unsetName(@JsonBody(UserBody) { localpart }: UserBody, @Req() request: FastifyRequest): Promise<object> {
    const { requester } = await this.users.get(localpart, request.id);
    await this.commands.execute(new ChangeProfile(requester, 'displayname', undefined));
    return {};
  }

  @HttpCode(200)
  @Post('allow_cross_signing_reset')
  async allowReset(@JsonBody(UserBody) { localpart }: UserBody, @Req() request: FastifyRequest): Promise<object> {
    const { userId } = (await this.users.get(localpart, request.id)).requester;
    await this.keyResets.allow(userId, request.id);
    return {};
  }
}
