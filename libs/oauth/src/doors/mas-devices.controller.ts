import { Controller, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ArrayMaxSize, IsArray, IsOptional, IsString } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CreateDevice } from '#accounts/commands/create-device';
import { DeleteDevices } from '#accounts/commands/delete-devices';
import { RenameDevice } from '#accounts/commands/rename-device';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { parseDeviceId } from '#kernel/ids';
import { FromMas } from '../mas/from-mas.js';
import { MasUsers } from '../mas/mas-users.js';

class DeviceBody {
  @IsString() localpart!: string;
  @IsString() device_id!: string;
  @IsOptional() @IsString() display_name?: string;
}

class NameBody extends DeviceBody {
  @IsString() declare display_name: string;
}

class DevicesBody {
  @IsString() localpart!: string;
  @IsArray() @ArrayMaxSize(10_000) @IsString({ each: true }) devices!: string[];
}

/** What a Matrix Authentication Service has this server do with devices, each of which is a session of its own. */
@RateLimited('default')
@UseGuards(FromMas)
@Controller('_synapse/mas')
export class MasDevicesController {
  constructor(
    private readonly users: MasUsers,
    private readonly commands: CommandBus,
  ) {}

  @HttpCode(200)
  @Post('upsert_device')
  async upsert(
    @JsonBody(DeviceBody) body: DeviceBody,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { requester } = await this.users.get(body.localpart, request.id);
    const [deviceId, name] = [parseDeviceId(body.device_id), body.display_name];
    if (await this.commands.execute(new CreateDevice(requester, deviceId, name))) reply.status(201);
    else if (name !== undefined) await this.commands.execute(new RenameDevice(requester, deviceId, name));
    return {};
  }

  @HttpCode(204)
  @Post('delete_device')
  async delete(@JsonBody(DeviceBody) body: DeviceBody, @Req() request: FastifyRequest): Promise<void> {
    const { requester } = await this.users.get(body.localpart, request.id);
    await this.commands.execute(new DeleteDevices(requester, [parseDeviceId(body.device_id)]));
  }

  @HttpCode(200)
  @Post('update_device_display_name')
  async rename(@JsonBody(NameBody) body: NameBody, @Req() request: FastifyRequest): Promise<object> {
    const { requester } = await this.users.get(body.localpart, request.id);
    await this.commands.execute(new RenameDevice(requester, parseDeviceId(body.device_id), body.display_name));
    return {};
  }

  /** Of a device that no client holds the service knows nothing: it is none of its sessions, and stays. */
  @HttpCode(200)
  @Post('sync_devices')
  async sync(@JsonBody(DevicesBody) body: DevicesBody, @Req() request: FastifyRequest): Promise<object> {
    const { requester, account } = await this.users.get(body.localpart, request.id);
    const wanted = new Set(body.devices.map((id) => parseDeviceId(id)));
    const { devices, dehydrated } = account;
    const over = [...devices.keys()].filter((id) => !wanted.has(id) && id !== dehydrated?.deviceId);
    if (over.length > 0) await this.commands.execute(new DeleteDevices(requester, over));
    for (const id of wanted) {
      if (!devices.has(id)) await this.commands.execute(new CreateDevice(requester, id, undefined));
    }
    return {};
  }
}
