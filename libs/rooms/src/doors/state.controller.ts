import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { queryText, type Query as QueryValues, queryEnum } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { getStateRow, listStateFor } from '../queries/get-state.js';
import { joinedMembersText, listMembers } from '../queries/list-members.js';
import { type EventViewer, renderEvents, renderOne } from '../queries/render-event.js';
import { openWhole, untilWhole } from '../queries/partial-rooms.js';
import { parseTimelineBound } from '../queries/timeline-places.js';
import { checkJoined } from '../reading/open-room.js';
import { readerOf } from '../reading/reader.js';
import type { RoomReader } from '../reading/room-reader.js';
import { readStateKey } from './read-state-key.js';

const MEMBERSHIPS = ['join', 'invite', 'knock', 'leave', 'ban'] as const;

/** Reading the state of a room: client-server API, "Getting events for a room". */
@Controller([...TODAY])
@Authenticated({ guests: true })
@RateLimited('default')
export class StateController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('rooms/:roomId/state')
  async state(@CurrentRequester() requester: Requester, @Param('roomId') roomId: string): Promise<RawJson> {
    const reader = await readerOf(this.views, requester);
    const { room, rows } = await listStateFor(this.views, parseRoomId(roomId), reader);
    return new RawJson(`[${(await renderEvents(rows, this.#viewer(room))).join()}]`);
  }

  @Get('rooms/:roomId/state/:type')
  stateOfType(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    return this.stateOfKey(requester, roomId, type, '', query);
  }

  @Get('rooms/:roomId/state/:type/:stateKey')
  async stateOfKey(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Param('stateKey') stateKey: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const format = queryEnum(query, 'format', ['content', 'event']);
    const reader = await readerOf(this.views, requester);
    const { room, row } = await getStateRow(
      this.views,
      parseRoomId(roomId),
      reader,
      type,
      readStateKey(requester, type, stateKey),
    );
    if (format !== 'event') return new RawJson(row.content);
    return new RawJson(await renderOne(row, this.#viewer(room)));
  }

  @Get('rooms/:roomId/members')
  async members(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const roomId = parseRoomId(room);
    const token = queryText(query, 'at');
    const membership = queryEnum(query, 'membership', MEMBERSHIPS);
    const notMembership = queryEnum(query, 'not_membership', MEMBERSHIPS);
    const open = await openWhole(this.views, roomId, await readerOf(this.views, requester));
    const at = await parseTimelineBound(this.views, roomId, token, 'upper');
    const rows = await listMembers(open, { at, membership, notMembership });
    const events = await renderEvents(rows, this.#viewer(open.room));
    return new RawJson(`{"chunk":[${events.join()}]}`);
  }

  @Authenticated()
  @Get('rooms/:roomId/joined_members')
  async joinedMembers(@CurrentRequester() { userId }: Requester, @Param('roomId') room: string): Promise<RawJson> {
    const roomId = parseRoomId(room);
    await checkJoined(this.views, roomId, userId);
    await untilWhole(this.views, roomId);
    return new RawJson(`{"joined":${await joinedMembersText(this.views, roomId)}}`);
  }

  #viewer(room: RoomReader): EventViewer {
    return { room, now: this.clock.now() };
  }
}
