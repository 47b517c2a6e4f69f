import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { type Bound, pageOfList, type Places, planPage, readPageParameters } from '#http/pagination';
import type { Query as QueryValues } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseRoomId } from '#kernel/ids';
import { parseShortPosition, type Position, shortPosition } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { contentText, type TimelineRow } from '../../projections/timeline-row.js';
import { getStateRow, listStateFor } from '../../queries/get-state.js';
import { listMembers } from '../../queries/list-members.js';
import { listMessagesV1 } from '../../queries/list-messages-v1.js';
import { renderEvents } from '../../queries/render-event.js';
import { openRoom } from '../../reading/open-room.js';
import { readerOf } from '../../reading/reader.js';
import type { RoomReader } from '../../reading/room-reader.js';
import { readStateKey } from '../read-state-key.js';

/** The members of a room are a list in the order of their last changes; its tokens are places in the log. */
const MEMBERS: Places<Position> = {
  find(token) {
    const [, digits] = /^s(\d+)(?:_[0-9a-z.]+)?$/.exec(token) ?? [];
    return digits === undefined ? undefined : parseShortPosition(digits);
  },
  compare: (a, b) => (a < b ? -1 : Number(a > b)),
};

/** Reading rooms: client-server API v1, "Getting events for a room". */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(`${V1}/rooms/:roomId`)
export class ReadV1Controller {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('state')
  async state(@CurrentRequester() requester: Requester, @Param('roomId') roomId: string): Promise<RawJson> {
    const reader = await readerOf(this.views, requester);
    const { room, rows } = await listStateFor(this.views, parseRoomId(roomId), reader);
    return new RawJson(`[${await this.#render(room, rows)}]`);
  }

  @Get('state/:type')
  stateOfType(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
  ): Promise<RawJson> {
    return this.stateOfKey(requester, roomId, type, '');
  }

  @Get('state/:type/:stateKey')
  async stateOfKey(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Param('type') type: string,
    @Param('stateKey') stateKey: string,
  ): Promise<RawJson> {
    const reader = await readerOf(this.views, requester);
    const { row } = await getStateRow(
      this.views,
      parseRoomId(roomId),
      reader,
      type,
      readStateKey(requester, type, stateKey),
    );
    return new RawJson(contentText(row));
  }

  @Get('members')
  async members(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const roomId = parseRoomId(room);
    const plan = planPage(readPageParameters(query), MEMBERS);
    const { room: there, until } = await openRoom(this.views, roomId, await readerOf(this.views, requester));
    const rows = await listMembers(this.views, roomId, { at: until });
    const inOrder = rows.toSorted((a, b) => MEMBERS.compare(a.header.p, b.header.p));
    const { items, start, end } = pageOfList(inOrder, plan, ({ header }) => header.p, MEMBERS);
    const chunk = await this.#render(there, items);
    return new RawJson(`{"start":"${formatBound(start)}","end":"${formatBound(end)}","chunk":[${chunk}]}`);
  }

  @Get('messages')
  async messages(
    @CurrentRequester() requester: Requester,
    @Param('roomId') roomId: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const parameters = readPageParameters(query);
    const reader = await readerOf(this.views, requester);
    const page = await listMessagesV1(this.views, parseRoomId(roomId), reader, parameters);
    const chunk = await this.#render(page.room, page.rows);
    return new RawJson(`{"start":"${page.start}","end":"${page.end}","chunk":[${chunk}]}`);
  }

  async #render(room: RoomReader, rows: readonly TimelineRow[]): Promise<string> {
    return (await renderEvents(rows, { room, now: this.clock.now() }, 'v1')).join();
  }
}

function formatBound(bound: Bound<Position>): string {
  return bound === 'START' || bound === 'END' ? bound : `s${shortPosition(bound)}_0`;
}
