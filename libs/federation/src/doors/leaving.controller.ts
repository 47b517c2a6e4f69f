import { Controller, Get, HttpCode, Param, Put } from '@nestjs/common';
import { parseRoomId, type ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MakeMembership } from '#rooms/commands/make-membership';
import { TakeMembership } from '#rooms/commands/take-membership';
import { MemberHandshakes } from '../joining/member-handshakes.js';
import { FromServer, Origin, ServerContent } from './from-server.js';
import { parsePeersUser } from './parse-peers-user.js';

/** Users of other servers who decline invitations, and leave by another server: server-server API, "Leaving Rooms (Rejecting Invites)". */
@FromServer()
@Controller('_matrix/federation')
export class LeavingController {
  constructor(private readonly handshakes: MemberHandshakes) {}

  @Get('v1/make_leave/:roomId/:userId')
  async make(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Param('userId') userId: string,
  ): Promise<object> {
    const { version, event } = await this.handshakes.make(
      new MakeMembership(origin, parseRoomId(roomId), parsePeersUser(userId), 'leave'),
    );
    return { room_version: version.id, event };
  }

  @Put('v2/send_leave/:roomId/:eventId')
  @HttpCode(200)
  async send(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @ServerContent() pdu: JsonObject,
  ): Promise<object> {
    await this.handshakes.take(new TakeMembership(origin, parseRoomId(roomId), eventId, 'leave', pdu));
    return {};
  }

  @Put('v1/send_leave/:roomId/:eventId')
  @HttpCode(200)
  async sendV1(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
    @ServerContent() pdu: JsonObject,
  ): Promise<readonly unknown[]> {
    return [200, await this.send(origin, roomId, eventId, pdu)];
  }
}
