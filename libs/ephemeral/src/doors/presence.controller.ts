import { Controller, Get, Param, Put } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { checkOwn } from '#http/check-own';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY_AND_ALPHA, under, V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { ReportDevice } from '../commands/report-device.js';
import { SetPresence } from '../commands/set-presence.js';
import { GetPresence } from '../queries/get-presence.js';
import { DeviceBody, PresenceBody, PresenceBodyV1, saidIn } from './presence.dto.js';

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
    @JsonBody(PresenceBody) body: PresenceBody,
  ): Promise<object> {
    checkOwn(requester, userId, 'presence');
    await this.commands.execute(new SetPresence(requester, saidIn(body), body.status_msg ?? undefined));
    return {};
  }

  @Get()
  get(@CurrentRequester() requester: Requester, @Param('userId') userId: string): Promise<JsonObject> {
    return this.queries.execute(new GetPresence(requester, readUserId(requester, userId), 'today'));
  }
}

/** Presence of 2014/15, with its states: client-server API v1, "Presence". */
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
    @JsonBody(PresenceBodyV1) body: PresenceBodyV1,
  ): Promise<object> {
    checkOwn(requester, userId, 'presence');
    await this.commands.execute(new SetPresence(requester, saidIn(body), body.status_msg ?? undefined));
    return {};
  }

  @Get()
  get(@CurrentRequester() requester: Requester, @Param('userId') userId: string): Promise<JsonObject> {
    return this.queries.execute(new GetPresence(requester, readUserId(requester, userId), 'v1'));
  }
}

/**
 * What clients say of the device that they are on. The documents of 2014/15 ask for it ("report per-device idle time", "per-device type") and name
 * no path, and today's specification has nothing of it.
 */
@Authenticated()
@RateLimited('default')
@Controller([`${V1}/presence/:userId/device`, '_matrix/client/unstable/dev.annals.presence/:userId/device'])
export class PresenceDeviceController {
  constructor(private readonly commands: CommandBus) {}

  @Put()
  async report(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @JsonBody(DeviceBody) { idle_ms: idleMs, device_type: type }: DeviceBody,
  ): Promise<object> {
    checkOwn(requester, userId, 'devices');
    await this.commands.execute(new ReportDevice(requester, { idleMs, type }));
    return {};
  }
}
