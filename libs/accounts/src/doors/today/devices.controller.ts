import { Controller, Delete, Get, HttpCode, Param, Post, Put, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { ArrayMaxSize, IsArray, IsOptional, IsString } from 'class-validator';
import { TODAY, under } from '#http/client-paths';
import { Authenticated, CurrentRequester, NotByOAuth, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { checkDto, JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { type DeviceId, parseDeviceId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { CreateDevice } from '../../commands/create-device.js';
import { DeleteDevices } from '../../commands/delete-devices.js';
import { RenameDevice } from '../../commands/rename-device.js';
import { Flows } from '../../interactive-auth/flows.js';
import { InteractiveAuth } from '../../interactive-auth/interactive-auth.js';
import { type ClientDevice, Devices } from '../../queries/devices.js';

class DeviceBody {
  @IsOptional() @IsString() display_name?: string;
}

class DeleteDevicesBody {
  @IsArray() @ArrayMaxSize(10_000) @IsString({ each: true }) devices!: string[];
}

/** The devices of who asks (client-server API, module "Device Management"). */
@WhileSuspended()
@Authenticated()
@OwnersOnly()
@RateLimited('default')
@Controller()
export class DevicesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly devices: Devices,
    private readonly auth: InteractiveAuth,
    private readonly flows: Flows,
  ) {}

  @Authenticated({ guests: true })
  @Get(under(TODAY, 'devices'))
  async list(@CurrentRequester() requester: Requester): Promise<{ devices: ClientDevice[] }> {
    return { devices: await this.devices.list(requester.userId) };
  }

  @Authenticated({ guests: true })
  @Get(under(TODAY, 'devices/:deviceId'))
  get(@CurrentRequester() requester: Requester, @Param('deviceId') deviceId: string): Promise<ClientDevice> {
    return this.devices.get(requester.userId, parseDeviceId(deviceId));
  }

  @Authenticated({ guests: true })
  @Put(under(TODAY, 'devices/:deviceId'))
  async rename(
    @CurrentRequester() requester: Requester,
    @Param('deviceId') deviceIdText: string,
    @JsonBody(DeviceBody) { display_name: displayName }: DeviceBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const deviceId = parseDeviceId(deviceIdText);
    if (requester.isServicesOwn === true) {
      const isNew = await this.commands.execute(new CreateDevice(requester, deviceId, displayName));
      if (isNew) {
        reply.status(201);
        return {};
      }
    }
    if (typeof displayName === 'string')
      await this.commands.execute(new RenameDevice(requester, deviceId, displayName));
    else await this.devices.get(requester.userId, deviceId);
    return {};
  }

  @NotByOAuth()
  @Delete(under(TODAY, 'devices/:deviceId'))
  delete(
    @CurrentRequester() requester: Requester,
    @Param('deviceId') deviceIdText: string,
    @JsonBody(undefined, { allowEmpty: true }) body: JsonObject,
  ): Promise<object> {
    const deviceId = parseDeviceId(deviceIdText);
    return this.#delete(requester, `DELETE /devices/${deviceId}`, body, () => [deviceId]);
  }

  @NotByOAuth()
  @HttpCode(200)
  @Post(under(TODAY, 'delete_devices'))
  deleteMany(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    return this.#delete(requester, 'POST /delete_devices', body, (request) =>
      checkDto(DeleteDevicesBody, request).devices.map(parseDeviceId),
    );
  }

  async #delete(
    requester: Requester,
    name: string,
    body: JsonObject,
    devicesOf: (request: JsonObject) => DeviceId[],
  ): Promise<object> {
    // Application service API, "Deleting devices".
    if (requester.isServicesOwn === true) {
      await this.commands.execute(new DeleteDevices(requester, devicesOf(body)));
      return {};
    }
    const session = await this.auth.authorise(await this.flows.confirmation(name, requester.userId), body);
    const deviceIds = devicesOf(session.body);
    await this.auth.doAndClose(session, () => this.commands.execute(new DeleteDevices(requester, deviceIds)));
    return {};
  }
}
