import { Controller, Get, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { IsIn, IsInt, IsObject, IsOptional, IsString, Min } from 'class-validator';
import { type Config, CONFIG } from '#config/config';
import { Authenticated, CurrentRequester, OptionallyAuthenticated, WhileSuspended } from '#http/authenticated';
import { TODAY } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { readMassagedTime } from '#http/massaged-time';
import { type Query as QueryValues, queryEnum, queryInteger, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { readStickyDuration } from '#http/sticky-duration';
import { CLOCK, type Clock } from '#kernel/clock';
import { parseRoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { type Errcode, MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { CancelDelayedEvent } from '../commands/cancel-delayed-event.js';
import { RestartDelayedEvent } from '../commands/restart-delayed-event.js';
import { ScheduleEvent } from '../commands/schedule-event.js';
import { SendDelayedEvent } from '../commands/send-delayed-event.js';
import { refusalOf } from '../decide/decide-delays.js';
import { type Delay, isTold } from '../decide/known-delays.js';
import { DelayedEvents } from '../delayed-events.js';
import { type DelayedEventsRequest, listDelayedEvents } from '../queries/list-delayed-events.js';
import { tellDelay } from '../queries/tell-delay.js';

const UNSTABLE = '_matrix/client/unstable/org.matrix.msc4140';

class DelayedEventBody {
  @IsInt() @Min(1) delay!: number;
  @IsOptional() @IsString() state_key?: string;
  @IsObject() content!: JsonObject;
}

interface EventPath {
  readonly roomId: string;
  readonly type: string;
  readonly txnId: string;
}

interface WantedDelay {
  readonly query: QueryValues;
  readonly body: DelayedEventBody;
  /** The code where it is to wait for too long. */
  readonly tooLong: Errcode;
}

const COMMANDS = { send: SendDelayedEvent, cancel: CancelDelayedEvent, restart: RestartDelayedEvent } as const;
type Action = keyof typeof COMMANDS;

class ActionBody {
  @IsIn(Object.keys(COMMANDS)) action!: Action;
}

/** Events that are sent later: MSC4140. */
@Controller()
export class DelayedEventsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly scheduling: ScheduleEvent,
    private readonly delayed: DelayedEvents,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'stickyEvents'>,
  ) {}

  @Authenticated({ guests: true })
  @RateLimited('send')
  @Put(TODAY.map((prefix) => `${prefix}/rooms/:roomId/delayed_event/:type/:txnId`))
  schedule(
    @CurrentRequester() requester: Requester,
    @Param() path: EventPath,
    @Query() query: QueryValues,
    @JsonBody(DelayedEventBody, { exactNumbers: true }) body: DelayedEventBody,
  ): Promise<object> {
    return this.#schedule(requester, path, { query, body, tooLong: 'M_MAX_DELAY_EXCEEDED' });
  }

  @Authenticated({ guests: true })
  @RateLimited('send')
  @Put(`${UNSTABLE}/rooms/:roomId/delayed_event/:type/:txnId`)
  scheduleAsTried(
    @CurrentRequester() requester: Requester,
    @Param() path: EventPath,
    @Query() query: QueryValues,
    @JsonBody(DelayedEventBody, { exactNumbers: true }) body: DelayedEventBody,
  ): Promise<object> {
    return this.#schedule(requester, path, { query, body, tooLong: 'ORG.MATRIX.MSC4140_MAX_DELAY_EXCEEDED' });
  }

  @WhileSuspended()
  @OptionallyAuthenticated()
  @RateLimited('default')
  @Post('_matrix/client/v1/delayed_events/:delayId/:action')
  @HttpCode(200)
  manage(@Param('delayId') delayId: string, @Param('action') action: string): Promise<object> {
    return this.#do(readAction(action), delayId);
  }

  @WhileSuspended()
  @OptionallyAuthenticated()
  @RateLimited('default')
  @Post(`${UNSTABLE}/delayed_events/:delayId/:action`)
  @HttpCode(200)
  manageAsTried(@Param('delayId') delayId: string, @Param('action') action: string): Promise<object> {
    return this.#doAsTried(readAction(action), delayId);
  }

  /** As it was tried out: the action stands in the body. */
  @WhileSuspended()
  @OptionallyAuthenticated()
  @RateLimited('default')
  @Post(`${UNSTABLE}/delayed_events/:delayId`)
  @HttpCode(200)
  manageByBody(@Param('delayId') delayId: string, @JsonBody(ActionBody) { action }: ActionBody): Promise<object> {
    return this.#doAsTried(action, delayId);
  }

  @Authenticated({ guests: true })
  @RateLimited('default')
  @Get(['_matrix/client/v1', UNSTABLE].map((prefix) => `${prefix}/delayed_events`))
  async list(@CurrentRequester() requester: Requester, @Query() query: QueryValues): Promise<RawJson> {
    const now = this.clock.now();
    const request = readRequest(query, now);
    const { delays, next } = listDelayedEvents(await this.delayed.of(requester.userId), request, now);
    const told = await Promise.all(delays.map((delay) => this.#tell(requester, delay)));
    const key = request.direction === 'f' ? 'next_batch' : 'prev_batch';
    return new RawJson(
      `{"delayed_events":[${told.join()}]${next === undefined ? '' : `,"${key}":${JSON.stringify(next)}`}}`,
    );
  }

  @Authenticated({ guests: true })
  @RateLimited('default')
  @Get(['_matrix/client/v1', UNSTABLE].map((prefix) => `${prefix}/delayed_events/:delayId`))
  async find(@CurrentRequester() requester: Requester, @Param('delayId') delayId: string): Promise<RawJson> {
    const delay = (await this.delayed.of(requester.userId)).get(delayId);
    if (delay === undefined || !isTold(delay, this.clock.now())) throw refusalOf(undefined);
    return new RawJson(await this.#tell(requester, delay));
  }

  async #schedule(
    requester: Requester,
    { roomId, type, txnId }: EventPath,
    { query, body: { delay, state_key: stateKey, content }, tooLong }: WantedDelay,
  ): Promise<object> {
    const options = { sentAt: readMassagedTime(requester, query), stickyMs: readStickyDuration(query, this.config) };
    const event = { roomId: parseRoomId(roomId), type, stateKey, content, delay, txnId, ...options };
    return { delay_id: await this.scheduling.schedule(requester, event, tooLong) };
  }

  #tell(requester: Requester, delay: Delay): Promise<string> {
    return tellDelay(this.views, requester, delay);
  }

  async #do(action: Action, delayId: string): Promise<object> {
    await this.commands.execute(new COMMANDS[action](delayId));
    return {};
  }

  /**
   * NOTSPEC: where this was tried out there was nothing any more of what had ended. So MatrixRTC of matrix-js-sdk takes M_NOT_FOUND for that, and
   * schedules anew; by a conflict it ends the call.
   */
  async #doAsTried(action: Action, delayId: string): Promise<object> {
    try {
      return await this.#do(action, delayId);
    } catch (error) {
      throw error instanceof MatrixError && error.status === 409 ? refusalOf(undefined) : error;
    }
  }
}

/** Throws M_UNRECOGNIZED. */
function readAction(action: string): Action {
  if (!Object.hasOwn(COMMANDS, action)) throw new MatrixError('M_UNRECOGNIZED', undefined, { status: 404 });
  return action as Action;
}

/** Throws M_INVALID_PARAM. */
function readRequest(query: QueryValues, now: number): DelayedEventsRequest {
  const direction = queryEnum(query, 'dir', ['f', 'b']) ?? 'f';
  const room = queryText(query, 'room_id');
  return {
    orderBy: queryEnum(query, 'order_by', ['send_ts', 'origin_server_ts', 'running_since']) ?? 'send_ts',
    direction,
    from: queryText(query, 'from'),
    since:
      queryText(query, 'since_ts') === 'end'
        ? Infinity
        : (queryInteger(query, 'since_ts') ?? (query['delay_id'] === undefined ? now : 0)),
    status: queryEnum(query, 'status', ['scheduled', 'finalised']),
    roomId: room === undefined ? undefined : parseRoomId(room),
    type: queryText(query, 'type'),
    ids: query['delay_id'] === undefined ? undefined : [query['delay_id']].flat(),
    outcome: queryEnum(query, 'outcome', ['send', 'cancel', 'error']),
    reason: queryEnum(query, 'reason', ['action', 'delay']),
  };
}
