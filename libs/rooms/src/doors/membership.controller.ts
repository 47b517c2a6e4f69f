import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsOptional, IsString } from 'class-validator';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { checkDto, EventContent, JsonBody } from '#http/json-body';
import type { Query as QueryOf } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { parseRoomId, type RoomId, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { BanUser } from '../commands/ban-user.js';
import { ForgetRoom } from '../commands/forget-room.js';
import { InviteAddress } from '../commands/invite-address.js';
import { InviteUser } from '../commands/invite-user.js';
import { JoinRoom } from '../commands/join-room.js';
import { KickUser } from '../commands/kick-user.js';
import { KnockRoom } from '../commands/knock-room.js';
import { LeaveRoom } from '../commands/leave-room.js';
import { UnbanUser } from '../commands/unban-user.js';
import { askedAddress, InvitedAddressDto } from './invited-address.js';
import { NamedRooms } from './named-rooms.js';
import { listJoinedRooms } from '../queries/list-user-rooms.js';

class ReasonDto {
  @IsOptional()
  @IsString()
  reason?: string;
}

class TargetDto extends ReasonDto {
  @IsString()
  user_id!: string;
}

class InviteDto extends ReasonDto {
  @IsOptional()
  @IsString()
  user_id?: string;

  @IsOptional()
  @IsString()
  medium?: string;
}

type CommandOnUser = new (requester: Requester, roomId: RoomId, userId: UserId, reason?: string) => object;

const MAYBE_EMPTY = { allowEmpty: true } as const;

/** Who is in a room: client-server API, "Room membership". */
@Controller([...TODAY])
@Authenticated()
@RateLimited('send')
export class MembershipController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    private readonly rooms: NamedRooms,
  ) {}

  @Get('joined_rooms')
  @RateLimited('default')
  async joinedRooms(@CurrentRequester() { userId }: Requester): Promise<object> {
    return { joined_rooms: await listJoinedRooms(this.views, userId) };
  }

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Post(['join/:idOrAlias', 'rooms/:idOrAlias/join'])
  @HttpCode(200)
  async join(
    @CurrentRequester() requester: Requester,
    @Param('idOrAlias') idOrAlias: string,
    @Query() query: QueryOf,
    @EventContent(MAYBE_EMPTY) body: JsonObject,
  ): Promise<object> {
    const { reason: _, ...rest } = body;
    const { reason } = checkDto(ReasonDto, body);
    const { roomId, via } = await this.rooms.findToJoin(requester, idOrAlias, query);
    const content = reason === undefined ? rest : { ...rest, reason };
    await this.commands.execute(new JoinRoom(requester, roomId, content, via));
    return { room_id: roomId };
  }

  @Post('knock/:idOrAlias')
  @HttpCode(200)
  async knock(
    @CurrentRequester() requester: Requester,
    @Param('idOrAlias') idOrAlias: string,
    @Query() query: QueryOf,
    @JsonBody(ReasonDto, MAYBE_EMPTY) { reason }: ReasonDto,
  ): Promise<object> {
    const { roomId, via } = await this.rooms.find(idOrAlias, query);
    await this.commands.execute(new KnockRoom(requester, roomId, reason, via));
    return { room_id: roomId };
  }

  @WhileSuspended()
  @Authenticated({ guests: true })
  @Post('rooms/:roomId/leave')
  @HttpCode(200)
  async leave(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody(ReasonDto, MAYBE_EMPTY) { reason }: ReasonDto,
  ): Promise<object> {
    await this.commands.execute(new LeaveRoom(requester, parseRoomId(roomId), reason));
    return {};
  }

  @WhileSuspended()
  @Post('rooms/:roomId/forget')
  @HttpCode(200)
  async forget(@CurrentRequester() requester: Requester, @Param('roomId') roomId: string): Promise<object> {
    await this.commands.execute(new ForgetRoom(requester, parseRoomId(roomId)));
    return {};
  }

  @Post('rooms/:roomId/invite')
  @HttpCode(200)
  async invite(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    const { user_id: userId, medium, reason } = checkDto(InviteDto, body);
    if (userId === undefined && medium === undefined) throw new MatrixError('M_MISSING_PARAM', 'user_id: required');
    const room = parseRoomId(roomId);
    const invite =
      userId === undefined
        ? new InviteAddress(requester, room, askedAddress(checkDto(InvitedAddressDto, body)), reason)
        : new InviteUser(requester, room, readUserId(requester, userId), reason);
    await this.commands.execute(invite);
    return {};
  }

  @Post('rooms/:roomId/kick')
  @HttpCode(200)
  kick(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody(TargetDto) body: TargetDto,
  ): Promise<object> {
    return this.#onUser(KickUser, requester, roomId, body);
  }

  @Post('rooms/:roomId/ban')
  @HttpCode(200)
  ban(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody(TargetDto) body: TargetDto,
  ): Promise<object> {
    return this.#onUser(BanUser, requester, roomId, body);
  }

  @Post('rooms/:roomId/unban')
  @HttpCode(200)
  unban(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @JsonBody(TargetDto) body: TargetDto,
  ): Promise<object> {
    return this.#onUser(UnbanUser, requester, roomId, body);
  }

  async #onUser(Command: CommandOnUser, requester: Requester, roomId: string, body: TargetDto): Promise<object> {
    await this.commands.execute(
      new Command(requester, parseRoomId(roomId), readUserId(requester, body.user_id), body.reason),
    );
    return {};
  }
}
