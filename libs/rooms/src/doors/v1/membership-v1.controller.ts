import { Controller, createParamDecorator, type ExecutionContext, HttpCode, Param, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { checkDto, JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { parseRoomId, type RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { BanUser } from '../../commands/ban-user.js';
import { ForgetRoom } from '../../commands/forget-room.js';
import { InviteAddress } from '../../commands/invite-address.js';
import { InviteUser } from '../../commands/invite-user.js';
import { JoinRoom } from '../../commands/join-room.js';
import { KickUser } from '../../commands/kick-user.js';
import { LeaveRoom } from '../../commands/leave-room.js';
import { UnbanUser } from '../../commands/unban-user.js';
import { askedAddress, InvitedAddressDto } from '../invited-address.js';
import { NamedRooms } from '../named-rooms.js';
import { TransactionAnswers } from '#http/transaction-answers';

class Target {
  @IsString()
  user_id!: string;

  @IsOptional()
  @IsString()
  reason?: string;
}

const ACTIONS = ['join', 'leave', 'forget', 'invite', 'ban', 'kick', 'unban'] as const;
type Action = (typeof ACTIONS)[number];

/** Which of the actions a route's path names: the segment behind the room id. */
const ActionOfPath = createParamDecorator((_: unknown, context: ExecutionContext): Action => {
  const { url = '' } = context.switchToHttp().getRequest<FastifyRequest>().routeOptions;
  const action = ACTIONS.find((one) => url.includes(`/:roomId/${one}`));
  if (action === undefined) throw new Error(`${url} names no action`);
  return action;
});

const MAYBE_EMPTY = { allowEmpty: true } as const;

/** Who is in a room: client-server API v1, "Joining rooms", "Inviting users", "Leaving rooms", "Banning users in a room". */
@Authenticated({ guests: true })
@RateLimited('send')
@Controller(V1)
export class MembershipV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly answers: TransactionAnswers,
    private readonly rooms: NamedRooms,
  ) {}

  @WhileSuspended()
  @Post('join/:idOrAlias')
  @HttpCode(200)
  join(@CurrentRequester() requester: Requester, @Param('idOrAlias') idOrAlias: string): Promise<object> {
    return this.#join(requester, idOrAlias);
  }

  @WhileSuspended()
  @Put('join/:idOrAlias/:txnId')
  joinOnce(
    @CurrentRequester() requester: Requester,
    @Param('idOrAlias') idOrAlias: string,
    @Param('txnId') txnId: string,
  ): Promise<object> {
    return this.answers.once(requester, `join/${idOrAlias}`, txnId, () => this.#join(requester, idOrAlias));
  }

  @WhileSuspended()
  @Post(ACTIONS.map((action) => `rooms/:roomId/${action}`))
  @HttpCode(200)
  act(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @ActionOfPath() action: Action,
    @JsonBody(undefined, MAYBE_EMPTY) body: JsonObject,
  ): Promise<object> {
    return this.#act(requester, parseRoomId(roomId), action, body);
  }

  @WhileSuspended()
  @Put(ACTIONS.map((action) => `rooms/:roomId/${action}/:txnId`))
  actOnce(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @ActionOfPath() action: Action,
    @Param('txnId') txnId: string,
    @JsonBody(undefined, MAYBE_EMPTY) body: JsonObject,
  ): Promise<object> {
    const roomId = parseRoomId(room);
    return this.answers.once(requester, `${roomId}/${action}`, txnId, () => this.#act(requester, roomId, action, body));
  }

  async #join(requester: Requester, idOrAlias: string): Promise<object> {
    const { roomId, via } = await this.rooms.findToJoin(requester, idOrAlias);
    await this.commands.execute(new JoinRoom(requester, roomId, {}, via));
    return { room_id: roomId };
  }

  async #act(requester: Requester, roomId: RoomId, action: Action, body: JsonObject): Promise<object> {
    // Guests come and go, and do nothing to others: client-server API, module "Guest Access".
    if (requester.isGuest === true && action !== 'join' && action !== 'leave') {
      throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN');
    }
    await this.commands.execute(commandOf(requester, roomId, action, body));
    return action === 'join' ? { room_id: roomId } : {};
  }
}

const ON_ONESELF = { join: JoinRoom, leave: LeaveRoom, forget: ForgetRoom };
const ON_OTHERS = { invite: InviteUser, ban: BanUser, kick: KickUser, unban: UnbanUser };

function commandOf(requester: Requester, roomId: RoomId, action: Action, body: JsonObject): object {
  if (action === 'join' || action === 'leave' || action === 'forget') return new ON_ONESELF[action](requester, roomId);
  if (action === 'invite' && body['user_id'] === undefined && body['medium'] !== undefined) {
    return new InviteAddress(requester, roomId, askedAddress(checkDto(InvitedAddressDto, body), true));
  }
  const { user_id: userId, reason } = checkDto(Target, body);
  return new ON_OTHERS[action](requester, roomId, readUserId(requester, userId), reason);
}
