import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsArray, IsOptional, IsString } from 'class-validator';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { BeginRoom } from '../commands/begin-room.js';
import type { RoomCreated } from '../commands/create-room.js';
import { UpgradeRoom } from '../commands/upgrade-room.js';
import type { CreateRoomOptions } from '../decide/new-room-events.js';
import { CreateRoomDto, INVITE_GROUPS } from './create-room.dto.js';
import { askedAddress } from './invited-address.js';

class UpgradeDto {
  @IsString()
  new_version!: string;

  @IsOptional()
  @IsArray()
  @IsString({ each: true })
  additional_creators?: string[];
}

/** Beginning rooms: client-server API, "Creation" and "Room Upgrades". */
@Controller([...TODAY])
@Authenticated()
@RateLimited('room')
export class CreateRoomController {
  constructor(private readonly commands: CommandBus) {}

  @Post('createRoom')
  @HttpCode(200)
  async create(
    @CurrentRequester() requester: Requester,
    @JsonBody(CreateRoomDto, { exactNumbers: true }) body: CreateRoomDto,
  ): Promise<object> {
    const addresses = (body.invite_3pid ?? []).map((address) => askedAddress(address));
    const begin = new BeginRoom(requester, optionsOf(requester, body), addresses);
    const { roomId, roomAlias }: RoomCreated = await this.commands.execute(begin);
    return roomAlias === undefined ? { room_id: roomId } : { room_id: roomId, room_alias: roomAlias };
  }

  @Post('rooms/:roomId/upgrade')
  @HttpCode(200)
  async upgrade(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody(UpgradeDto) { new_version, additional_creators = [] }: UpgradeDto,
  ): Promise<object> {
    const { replacementRoom } = await this.commands.execute(
      new UpgradeRoom(requester, parseRoomId(roomId), new_version, additional_creators),
    );
    return { replacement_room: replacementRoom };
  }
}

/** The options of a body, but for the addresses of people who are to be invited. */
export function optionsOf(requester: Requester, body: CreateRoomDto): CreateRoomOptions {
  const { invite_3pid: _, invite, [INVITE_GROUPS]: inviteGroups, ...options } = body;
  return { ...options, inviteGroups, invite: invite?.map((user) => readUserId(requester, user)) };
}
