import { Controller, Inject, Param, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsOptional, IsString } from 'class-validator';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { checkDto, EventContent } from '#http/json-body';
import { readMassagedTime } from '#http/massaged-time';
import type { Query as QueryValues } from '#http/query';
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
import { SetState } from '../../commands/set-state.js';
import { UnbanUser } from '../../commands/unban-user.js';
import { findMembership } from '../../reading/find-membership.js';

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

  @WhileSuspended()
  @Put('rooms/:roomId/state/m.room.member/:userId')
  async set(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @Param('userId') user: string,
    @Query() query: QueryValues,
    @EventContent() content: JsonObject,
  ): Promise<object> {
    const roomId = parseRoomId(room);
    const userId = readUserId(requester, user);
    const sentAt = readMassagedTime(requester, query);
    // When it was said only state can say, as at today's path.
    const command =
      sentAt === undefined
        ? await this.#commandOf(requester, roomId, userId, content)
        : new SetState(requester, roomId, 'm.room.member', userId, content, { sentAt });
    await this.commands.execute(command);
    return {};
  }

  async #commandOf(requester: Requester, roomId: RoomId, userId: UserId, content: JsonObject): Promise<object> {
    const { membership, reason } = checkDto(Member, content);
    const { membership: _, reason: __, ...further } = content;
    const isOwn = userId === requester.userId;
    const before = await findMembership(this.views, roomId, userId);
    // A join takes further keys along. What else is said of a member only state can hold, and there it is said as it is.
    const isAsState = Object.keys(further).length > 0 && (membership !== 'join' || before === 'join');
    switch (membership) {
      case 'join':
        if (!isOwn) throw new MatrixError('M_FORBIDDEN', 'You cannot force another user to join');
        if (isAsState) break;
        return new JoinRoom(requester, roomId, reason === undefined ? further : { ...further, reason });
      case 'invite':
        if (isAsState) break;
        return new InviteUser(requester, roomId, userId, reason);
      case 'ban':
        if (isAsState) break;
        return new BanUser(requester, roomId, userId, reason);
      case 'leave':
        if (isAsState) break;
        if (isOwn) return new LeaveRoom(requester, roomId, reason);
        return new (before === 'ban' ? UnbanUser : KickUser)(requester, roomId, userId, reason);
      default:
        throw new MatrixError('M_BAD_JSON', 'membership: not one of invite, join, leave, ban');
    }
    return new SetState(requester, roomId, 'm.room.member', userId, content);
  }
}
