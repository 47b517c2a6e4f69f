import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import type { LogHistory, SettledPlace } from '#event-store/log-history';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { type Bound, pageOfList, planPage, readPageParameters } from '#http/pagination';
import type { Query as QueryValues } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { formatStreamPlace, placesInLog } from '#http/tokens/stream-token';
import { NO_TYPING } from '#http/tokens/typing-mark';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseRoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { TimelineRow } from '../../projections/timeline-row.js';
import { getStateRow, listStateFor } from '../../queries/get-state.js';
import { openWhole } from '../../queries/partial-rooms.js';
import { listMembers } from '../../queries/list-members.js';
import { FillGaps } from '../../queries/fill-gaps.js';
import { listMessagesV1, type MessagesPageV1 } from '../../queries/list-messages-v1.js';
import { renderEvents } from '../../queries/render-event.js';
import { readerOf } from '../../reading/reader.js';
import type { RoomReader } from '../../reading/room-reader.js';
import { readStateKey } from '../read-state-key.js';

/** Reading rooms: client-server API v1, "Getting events for a room". */
@Authenticated({ guests: true })
@RateLimited('default')
@Controller(`${V1}/rooms/:roomId`)
export class ReadV1Controller {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly gaps: FillGaps,
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
    return new RawJson(row.content);
  }

  @Get('members')
  async members(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const roomId = parseRoomId(room);
    const { history } = this.views;
    // A list in the order of the members' last changes.
    const places = placesInLog(history);
    const plan = planPage(readPageParameters(query), places);
    const open = await openWhole(this.views, roomId, await readerOf(this.views, requester));
    const rows = await listMembers(open, {});
    const placeOf = ({ header }: TimelineRow): SettledPlace => ({ place: header.position, isLost: false });
    const inOrder = rows.toSorted((a, b) => places.compare(placeOf(a), placeOf(b)));
    const { items, start, end } = pageOfList(inOrder, plan, placeOf, places);
    const chunk = await this.#render(open.room, items);
    return new RawJson(
      `{"start":"${formatBound(history, start)}","end":"${formatBound(history, end)}","chunk":[${chunk}]}`,
    );
  }

  @Get('messages')
  async messages(
    @CurrentRequester() requester: Requester,
    @Param('roomId') room: string,
    @Query() query: QueryValues,
  ): Promise<RawJson> {
    const parameters = readPageParameters(query);
    const roomId = parseRoomId(room);
    const reader = await readerOf(this.views, requester);
    const read = (): Promise<MessagesPageV1> => listMessagesV1(this.views, roomId, reader, parameters);
    const page = await this.gaps.read(roomId, parameters.limit ?? 0, read, ({ gaps }) => gaps);
    const chunk = await this.#render(page.room, page.rows);
    return new RawJson(`{"start":"${page.start}","end":"${page.end}","chunk":[${chunk}]}`);
  }

  async #render(room: RoomReader, rows: readonly TimelineRow[]): Promise<string> {
    return (await renderEvents(rows, { room, now: this.clock.now() }, 'v1')).join();
  }
}

function formatBound(history: LogHistory, bound: Bound<SettledPlace>): string {
  if (bound === 'START' || bound === 'END') return bound;
  return formatStreamPlace(history, { place: bound.place, typing: NO_TYPING });
}
