import { Controller, Get, Param, Put } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { IsIn, IsOptional, IsString } from 'class-validator';
import { checkOwn } from '#http/check-own';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY_AND_ALPHA, under, V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { SetPresence } from '../commands/set-presence.js';
import { DEVICE_STATES, type DeviceState, PRESENCE_STATES, type PresenceState } from '../presence/presence-state.js';
import { GetPresence } from '../queries/get-presence.js';

class StatusMessage {
  @IsOptional() @IsString() status_msg?: string | null;
}

class PresenceBody extends StatusMessage {
  @IsIn([...DEVICE_STATES]) presence!: DeviceState;
}

class PresenceBodyV1 extends StatusMessage {
  @IsIn([...PRESENCE_STATES]) presence!: PresenceState;
}

/** Presence of today: client-server API, "Presence". */
@Authenticated()
@RateLimited('default')
@Controller(under(TODAY_AND_ALPHA, 'presence/:userId/status'))
export class PresenceController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Put()
  async set(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @JsonBody(PresenceBody) { presence, status_msg: statusMsg }: PresenceBody,
  ): Promise<object> {
    checkOwn(requester, userId, 'presence');
    await this.commands.execute(new SetPresence(requester, presence, statusMsg ?? undefined));
    return {};
  }

  @Get()
  get(@CurrentRequester() requester: Requester, @Param('userId') userId: string): Promise<JsonObject> {
    return this.queries.execute(new GetPresence(requester, readUserId(requester, userId), 'today'));
  }
}

/** Presence of 2014/15, with its five states: client-server API v1, "Presence". */
@Authenticated()
@RateLimited('default')
@Controller(`${V1}/presence/:userId/status`)
export class PresenceV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Put()
  async set(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @JsonBody(PresenceBodyV1) { presence, status_msg: statusMsg }: PresenceBodyV1,
  ): Promise<object> {
    checkOwn(requester, userId, 'presence');
    await this.commands.execute(new SetPresence(requester, presence, statusMsg ?? undefined));
    return {};
  }

  @Get()
  get(@CurrentRequester() requester: Requester, @Param('userId') userId: string): Promise<JsonObject> {
    return this.queries.execute(new GetPresence(requester, readUserId(requester, userId), 'v1'));
  }
}
