import { Controller, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import type { Query as QueryOf } from '#http/query';
import { RawJson } from '#http/raw-json';
import { parseRoomId, type ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MakeMembership } from '#rooms/commands/make-membership';
import { TakeMembership } from '#rooms/commands/take-membership';
import { listKnockState } from '#rooms/queries/list-knock-state';
import { ServingSources } from '#rooms/queries/serving-sources';
import { MemberHandshakes } from '../joining/member-handshakes.js';
import { FromServer, Origin, ServerContent } from './from-server.js';
import { parsePeersUser } from './parse-peers-user.js';
import { readVersions } from './read-versions.js';

/** Users of other servers who ask to be invited: server-server API, "Knocking upon a room". */
@FromServer()
@Controller('_matrix/federation/v1')
export class KnocksController {
  constructor(
    private readonly handshakes: MemberHandshakes,
    private readonly sources: ServingSources,
  ) {}

  @Get('make_knock/:roomId/:userId')
  async make(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Param('userId') userId: string,
    @Query() query: QueryOf,
  ): Promise<object> {
    const { version, event } = await this.handshakes.make(
      new MakeMembership(origin, parseRoomId(roomId), parsePeersUser(userId), 'knock', readVersions(query)),
    );
    return { room_version: version.id, event };
  }

  @Put('send_knock/:roomId/:eventId')
  @HttpCode(200)
  async send(
    @Origin() origin: ServerName,
    @Param('roomId') room: string,
    @Param('eventId') eventId: string,
    @ServerContent() pdu: JsonObject,
  ): Promise<RawJson> {
    const roomId = parseRoomId(room);
    const { position } = await this.handshakes.take(new TakeMembership(origin, roomId, eventId, 'knock', pdu));
    const state = await listKnockState(this.sources, roomId, origin, position);
    return new RawJson(`{"knock_room_state":[${state.join()}]}`);
  }
}
