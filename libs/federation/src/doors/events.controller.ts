import { Controller, Get, HttpCode, Inject, Param, Post, Query, type StreamableFile } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { queryEnum, queryInteger, type Query as QueryOf, requiredText } from '#http/query';
import { RawJson } from '#http/raw-json';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseEventId, parseRoomId, type ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { PduEntry } from '#rooms/queries/auth-chain';
import { serveEvent } from '#rooms/queries/serve-events';
import { ServingSources } from '#rooms/queries/serving-sources';
import { serveEventByTime } from '#rooms/queries/find-event-by-time';
import { serveBackfill, serveMissingEvents } from '#rooms/queries/serve-past';
import { serveAuthChain, serveState } from '#rooms/queries/serve-state';
import { ServersInRooms } from '../sending/servers-in-rooms.js';
import { idText, inOrder, listText, pduText } from '../serving/json-texts.js';
import { LargeAnswers } from '../serving/large-answers.js';
import { FromServer, Origin, ServerContent } from './from-server.js';
import { readEventIds, readMissingRequest } from './read-missing-request.js';

/** NOTSPEC: of a longer list the first are looked at, and no more is told at once, whatever limit is asked for. */
const MOST = 100;

/** The events of rooms, and the states at them: server-server API, "Backfilling and retrieving missing events", "Retrieving events". */
@Controller('_matrix/federation/v1')
@FromServer()
export class EventsController {
  constructor(
    private readonly sources: ServingSources,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly servers: ServersInRooms,
    private readonly large: LargeAnswers,
  ) {}

  @Get('event/:eventId')
  async event(@Origin() origin: ServerName, @Param('eventId') eventId: string): Promise<RawJson> {
    const shared = () => this.servers.roomsOf(origin);
    return this.#transaction([await serveEvent(this.sources, origin, parseEventId(eventId), shared)]);
  }

  @Get('backfill/:roomId')
  async backfill(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Query() query: QueryOf,
  ): Promise<RawJson> {
    requiredText({ limit: query['limit'] }, 'limit');
    const limit = queryInteger(query, 'limit', { cap: MOST }) ?? MOST;
    const from = readEventIds([query['v'] ?? []].flat(), 'v').slice(0, MOST);
    return this.#transaction(await serveBackfill(this.sources, parseRoomId(roomId), origin, { from, limit }));
  }

  @Post('get_missing_events/:roomId')
  @HttpCode(200)
  async missingEvents(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @ServerContent() content: JsonObject,
  ): Promise<RawJson> {
    const asked = readMissingRequest(content, MOST);
    const events = await serveMissingEvents(this.sources, parseRoomId(roomId), origin, asked);
    return new RawJson(`{"events":[${events.join()}]}`);
  }

  @Get('state/:roomId')
  async state(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Query() query: QueryOf,
  ): Promise<StreamableFile> {
    return this.#sendState(origin, roomId, query, { state: 'pdus', authChain: 'auth_chain' }, pduText);
  }

  @Get('state_ids/:roomId')
  async stateIds(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Query() query: QueryOf,
  ): Promise<StreamableFile> {
    const names = { state: 'pdu_ids', authChain: 'auth_chain_ids' };
    return this.#sendState(origin, roomId, query, names, idText);
  }

  @Get('event_auth/:roomId/:eventId')
  async eventAuth(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Param('eventId') eventId: string,
  ): Promise<StreamableFile> {
    const chain = await serveAuthChain(this.sources, parseRoomId(roomId), origin, parseEventId(eventId));
    return this.large.send(origin, inOrder(['{"auth_chain":[', listText(chain, pduText), ']}']));
  }

  @Get('timestamp_to_event/:roomId')
  async byTime(
    @Origin() origin: ServerName,
    @Param('roomId') roomId: string,
    @Query() query: QueryOf,
  ): Promise<object> {
    const time = queryInteger(query, 'ts');
    const direction = queryEnum(query, 'dir', ['b', 'f']);
    if (time === undefined || direction === undefined) throw new MatrixError('M_MISSING_PARAM', 'ts, dir: required');
    const between = { server: origin, ours: this.config.serverName };
    const found = await serveEventByTime(this.sources, parseRoomId(roomId), between, time, direction);
    return { event_id: found.eventId, origin_server_ts: found.sentAt };
  }

  async #sendState(
    origin: ServerName,
    roomId: string,
    query: QueryOf,
    names: { readonly state: string; readonly authChain: string },
    textOf: (entry: PduEntry) => string,
  ): Promise<StreamableFile> {
    const eventId = parseEventId(requiredText(query, 'event_id'));
    const { state, authChain } = await serveState(this.sources, parseRoomId(roomId), origin, eventId);
    const texts = inOrder([
      `{"${names.state}":[`,
      listText(state, textOf),
      `],"${names.authChain}":[`,
      listText(authChain, textOf),
      ']}',
    ]);
    return this.large.send(origin, texts);
  }

  #transaction(pdus: readonly string[]): RawJson {
    const { serverName } = this.config;
    return new RawJson(
      `{"origin":${JSON.stringify(serverName)},"origin_server_ts":${this.clock.now()},"pdus":[${pdus.join()}]}`,
    );
  }
}
