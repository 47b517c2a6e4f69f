import { Controller, Get, HttpCode, Param, Put, Query, type StreamableFile } from '@nestjs/common';
import { parseRoomId, type ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { queryBoolean, type Query as QueryOf } from '#http/query';
import { MakeMembership } from '#rooms/commands/make-membership';
import { TakeMembership } from '#rooms/commands/take-membership';
import { JoinTelling } from '../joining/join-telling.js';
import { MemberHandshakes } from '../joining/member-handshakes.js';
import { LargeAnswers } from '../serving/large-answers.js';
import { FromServer, Origin, ServerContent } from './from-server.js';
import { parsePeersUser } from './parse-peers-user.js';
import { readVersions } from './read-versions.js';

/** NOTSPEC: of one server so many users come in at a time; the next is to ask again. A room told to who reads slowly is in memory as long. */
const MOST_AT_ONCE = 10;

/** Joins of users of other servers: server-server API, "Joining Rooms". */
@FromServer()
@Controller('_matrix/federation')
export class JoinsController {
  constructor(
    private readonly handshakes: MemberHandshakes,
    private readonly telling: JoinTelling,
    private readonly large: LargeAnswers,
  ) {}

  @Get('v1/make_join/:roomId/:userId')
  async make(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Param('userId') userId: string,
    @Query() query: QueryOf,
  ): Promise<object> {
    const { version, event } = await this.handshakes.make(
      new MakeMembership(origin, parseRoomId(roomId), parsePeersUser(userId), 'join', readVersions(query)),
    );
    return { room_version: version.id, event };
  }

  @Put('v2/send_join/:roomId/:eventId')
  @HttpCode(200)
  async send(
    @Origin() origin: ServerName,
    @Param('roomId') room: string,
    @Param('eventId') event: string,
    @Query() query: QueryOf,
    @ServerContent() pdu: JsonObject,
  ): Promise<StreamableFile> {
    const omitsMembers = queryBoolean(query, 'omit_members') === true;
    return this.#take(new TakeMembership(origin, parseRoomId(room), event, 'join', pdu), {
      omitsMembers,
    });
  }

  @Put('v1/send_join/:roomId/:eventId')
  @HttpCode(200)
  async sendV1(
    @Origin() origin: ServerName,
    @Param('roomId') room: string,
    @Param('eventId') event: string,
    @ServerContent() pdu: JsonObject,
  ): Promise<StreamableFile> {
    return this.#take(new TakeMembership(origin, parseRoomId(room), event, 'join', pdu), { isV1: true });
  }

  /** Nothing is taken of who is told enough already. */
  #take(join: TakeMembership, as: { isV1?: boolean; omitsMembers?: boolean }): Promise<StreamableFile> {
    return this.large.send(join.origin, this.#tell(join, as), MOST_AT_ONCE);
  }

  async *#tell(join: TakeMembership, as: { isV1?: boolean; omitsMembers?: boolean }): AsyncGenerator<string, void> {
    const taken = await this.handshakes.take(join);
    yield* await this.telling.tell(join.roomId, taken, as);
  }
}
