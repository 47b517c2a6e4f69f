import { Controller, Inject, Param, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsOptional, IsString } from 'class-validator';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { parseRoomId, type RoomId, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { BanUser } from '../../commands/ban-user.js';
import { InviteUser } from '../../commands/invite-user.js';
import { JoinRoom } from '../../commands/join-room.js';
import { KickUser } from '../../commands/kick-user.js';
import { LeaveRoom } from '../../commands/leave-room.js';
import { UnbanUser } from '../../commands/unban-user.js';

class Member {
  @IsString()
  membership!: string;

  @IsOptional()
  @IsString()
  reason?: string;
}

/**
 * Memberships set as what they are, state of the room: API v1 knows `PUT rooms/{roomId}/state/m.room.member/{userId}` as
 * another way to join, invite, leave and ban. The commands are the same, and so are the rules.
 */
@Authenticated({ guests: true })
@RateLimited('send')
@Controller(V1)
export class MemberStateV1Controller {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Put('rooms/:roomId/state/m.room.member/:userId')
  async set(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @Param('userId') user: string,
    @JsonBody(Member) { membership, reason }: Member,
  ): Promise<object> {
    const roomId = parseRoomId(room);
    const userId = readUserId(requester, user);
    await this.commands.execute(await this.#commandOf(requester, roomId, userId, membership, reason));
    return {};
  }

  async #commandOf(
    requester: Requester,
    roomId: RoomId,
    userId: UserId,
    membership: string,
    reason: string | undefined,
  ): Promise<object> {
    const isOwn = userId === requester.userId;
    switch (membership) {
      case 'join':
        if (!isOwn) throw new MatrixError('M_FORBIDDEN', 'You cannot force another user to join');
        return new JoinRoom(requester, roomId, { reason });
      case 'invite':
        return new InviteUser(requester, roomId, userId, reason);
      case 'ban':
        return new BanUser(requester, roomId, userId, reason);
      case 'leave': {
        if (isOwn) return new LeaveRoom(requester, roomId, reason);
        const isBanned = (await this.#membershipOf(roomId, userId)) === 'ban';
        return new (isBanned ? UnbanUser : KickUser)(requester, roomId, userId, reason);
      }
      default:
        throw new MatrixError('M_BAD_JSON', 'membership: not one of invite, join, leave, ban');
    }
  }

  async #membershipOf(roomId: RoomId, userId: UserId): Promise<unknown> {
    const text = await this.views.get('members', [roomId, userId]);
    return text === undefined ? undefined : (JSON.parse(text) as JsonObject)['membership'];
  }
}
