import { Controller, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ArrayMaxSize, IsArray, IsOptional, IsString } from 'class-validator';
import { Accounts, causeOf } from '#accounts/accounts';
import { CreateDevice } from '#accounts/commands/create-device';
import { DeleteDevices } from '#accounts/commands/delete-devices';
import { RenameDevice } from '#accounts/commands/rename-device';
import { type ClientDevice, Devices } from '#accounts/queries/devices';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { type DeviceId, parseDeviceId, type UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { Users } from '../users/users.js';
import { readLocalUser } from './read-local-user.js';

class DeviceBody {
  @IsString() device_id!: string;
}

class NameBody {
  @IsOptional() @IsString() display_name?: string | null;
}

class DevicesBody {
  @IsArray() @ArrayMaxSize(10_000) @IsString({ each: true }) devices!: string[];
}

/** The devices of a user, for administrators, in the manner of `UsersController`. */
@Controller('_synapse/admin/v2/users/:userId')
@AdminsOnly()
@RateLimited('default')
export class UserDevicesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly users: Users,
    private readonly devices: Devices,
    private readonly accounts: Accounts,
  ) {}

  @Get('devices')
  async list(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    const userId = await this.#userOf(requester, user);
    const { dehydrated } = await this.accounts.load(userId);
    const devices = (await this.devices.list(userId)).map((device) => ({
      ...told(userId, device),
      dehydrated: device.device_id === dehydrated?.deviceId,
    }));
    return { devices, total: devices.length };
  }

  /** A device without a session. One that is there stays as it is. */
  @HttpCode(201)
  @Post('devices')
  async create(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(DeviceBody) { device_id: id }: DeviceBody,
  ): Promise<object> {
    const owner = asOwner(requester, await this.#userOf(requester, user));
    await this.commands.execute(new CreateDevice(owner, parseDeviceId(id), undefined, causeOf(requester)));
    return {};
  }

  @HttpCode(200)
  @Post('delete_devices')
  async deleteAll(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @JsonBody(DevicesBody) { devices }: DevicesBody,
  ): Promise<object> {
    return this.#delete(requester, user, devices);
  }

  @Get('devices/:deviceId')
  async find(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @Param('deviceId') id: string,
  ): Promise<object> {
    const userId = await this.#userOf(requester, user);
    return told(userId, await this.devices.get(userId, parseDeviceId(id)));
  }

  @Put('devices/:deviceId')
  async rename(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @Param('deviceId') id: string,
    @JsonBody(NameBody) { display_name: name }: NameBody,
  ): Promise<object> {
    const userId = await this.#userOf(requester, user);
    const deviceId = parseDeviceId(id);
    await this.devices.get(userId, deviceId);
    if (typeof name === 'string') {
      await this.commands.execute(new RenameDevice(asOwner(requester, userId), deviceId, name, causeOf(requester)));
    }
    return {};
  }

  @Delete('devices/:deviceId')
  delete(
    @CurrentRequester() requester: Requester,
    @Param('userId') user: string,
    @Param('deviceId') id: string,
  ): Promise<object> {
    return this.#delete(requester, user, [id]);
  }

  async #delete(requester: Requester, user: string, ids: readonly string[]): Promise<object> {
    const owner = asOwner(requester, await this.#userOf(requester, user));
    const devices = ids.map((id) => parseDeviceId(id));
    await this.commands.execute(new DeleteDevices(owner, devices, causeOf(requester)));
    return {};
  }

  /** Throws M_NOT_FOUND for who has no account here. */
  async #userOf(requester: Requester, user: string): Promise<UserId> {
    const userId = readLocalUser(requester, user);
    await this.users.getAccount(userId);
    return userId;
  }
}

/** Whose devices they are; that an administrator did it is said beside. */
function asOwner({ requestId }: Requester, userId: UserId): Requester {
  return { userId, deviceId: '' as DeviceId, isAdmin: false, requestId };
}

const told = (userId: UserId, device: ClientDevice) => ({ ...device, user_id: userId });
