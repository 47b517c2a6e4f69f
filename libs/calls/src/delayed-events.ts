import { randomBytes, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { findAccount } from '#accounts/queries/find-account';
import { ownRateLimit } from '#accounts/sessions/own-rate-limit';
import { TokenRights } from '#accounts/sessions/token-rights';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf, type FactDraft } from '#event-store/seal-facts';
import { RateLimits } from '#http/rate-limits';
import { CLOCK, type Clock } from '#kernel/clock';
import type { DeviceId, EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import type { Position } from '#kernel/position';
import type { RateLimit } from '#kernel/rate-limit';
import type { Requester } from '#kernel/requester';
import { userLocked } from '#kernel/user-locked';
import { VIEWS, type Views } from '#projections/views';
import { parseJson, type ParseJsonOptions } from '#protocol/canonical-json/parse-json';
import { SendEvent } from '#rooms/commands/send-event';
import { SetState } from '#rooms/commands/set-state';
import type { EventSent } from '#rooms/commands/transaction';
import { DELAYED_BY } from '#rooms/delayed-sends';
import {
  decideCancel,
  decideDelay,
  decideDelegation,
  decideEnd,
  decideRestart,
  refusalOf,
} from './decide/decide-delays.js';
import { dueOf, findByTransaction, findOverDelays, foldDelayFact, isScheduled, type KnownDelays, nameOfDelayFact, NO_DELAYS, type ScheduledDelay } from './decide/known-delays.js'; // prettier-ignore
import { type DelayedEventFact, type DelayEnd, delayedStream, type Delegation, type EventDelayed, textOfDelayed } from './facts/delayed-event-facts.js'; // prettier-ignore
import { DELAYED_EVENTS } from './projections/delayed-events.projector.js';

const AS_IT_CAME: ParseJsonOptions = Object.freeze({ lenient: true, respell: true, keepPrototypes: true });

/** Of a user they may be two megabytes. */
const CAPACITY = 200;
const ENDED: DelayedEventFact['type'] = 'delayed-events-ended';

/**
 * The write side of delayed events: a stream for each user, which is kept short. What is done with one event in this process takes turns.
 * Where a second process restarts one in the milliseconds in which its time comes here, it is sent all the same.
 */
@Injectable()
export class DelayedEvents {
  readonly #streams: Aggregates<KnownDelays>;
  readonly #turns = new KeyedQueue<string>();

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    private readonly commands: CommandBus,
    private readonly limits: RateLimits,
    private readonly rights: TokenRights,
  ) {
    const fold = { initialState: NO_DELAYS, evolve: foldDelayFact };
    const whenKept = (position: Position): Promise<void> => views.whenKept(position, [DELAYED_EVENTS.name]);
    const shortening = { lastOfEach: nameOfDelayFact, findOver: findOverDelays, whenKept };
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...fold, ...shortening });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** What a user has sent later, and what became of it. */
  async of(userId: UserId): Promise<KnownDelays> {
    return (await this.#streams.load(delayedStream(userId))).state;
  }

  /** Whose event it is. Throws M_NOT_FOUND. */
  async userOf(delayId: string): Promise<UserId> {
    const row = await DELAYED_EVENTS.get(this.views, [delayId]);
    if (row !== undefined) return row.userId;
    await this.views.confirm();
    throw refusalOf(undefined);
  }

  /** Schedules an event, and answers its id: that of the first time where the transaction is known. Throws as `decideDelay`. */
  async schedule(
    { userId, deviceId, appServiceId, requestId }: Requester,
    draft: Omit<EventDelayed, 'delay_id' | 'running_since' | 'service'>,
  ): Promise<string> {
    const delayId = randomBytes(18).toString('base64url');
    const service = appServiceId === undefined ? {} : { service: appServiceId };
    const event = { ...draft, ...service, delay_id: delayId, running_since: this.clock.now() };
    const cause = { actor: userId, device: deviceId, correlation: requestId };
    const state = await this.#decide(userId, cause, (delays) => decideDelay(delays, event));
    return findByTransaction(state, event)?.event.delay_id ?? delayId;
  }

  /** `seen`: as of DelayRestarted. Throws as `decideRestart`. */
  restart(userId: UserId, delayId: string, seen?: number): Promise<void> {
    return this.#turns.run(delayId, async () => {
      await this.#decide(userId, { actor: userId }, (delays) => decideRestart(delays, delayId, this.clock.now(), seen));
    });
  }

  /** Throws as `decideDelegation`. */
  delegate(userId: UserId, delayId: string, roomId: RoomId, to: Omit<Delegation, 'since'>): Promise<void> {
    return this.#turns.run(delayId, async () => {
      const delegation = { ...to, since: this.clock.now() };
      await this.#decide(userId, { actor: userId }, (delays) => decideDelegation(delays, delayId, roomId, delegation));
    });
  }

  /** Throws as `decideCancel`. */
  cancel(userId: UserId, delayId: string): Promise<void> {
    return this.#turns.run(delayId, async () => {
      await this.#decide(userId, { actor: userId }, (delays) => decideCancel(delays, delayId, this.clock.now()));
    });
  }

  /**
   * Sends an event now, because somebody says so: it stays scheduled where it is refused. Nothing where it was sent. Throws as SendEvent
   * or SetState, as `decideRestart` where it was cancelled, and M_LIMIT_EXCEEDED where the user sends too much.
   */
  send(userId: UserId, delayId: string): Promise<void> {
    return this.#turns.run(delayId, async () => {
      const delay = (await this.of(userId)).get(delayId);
      if (delay?.end?.outcome === 'send') return;
      if (!isScheduled(delay)) throw refusalOf(delay?.end);
      if (this.#isLimited(userId, delay)) this.limits.checkForUser('send', userId, await this.#limitOf(userId));
      await this.#end(userId, delayId, {
        outcome: 'send',
        reason: 'action',
        event_id: await this.#sendNow(userId, delay),
      });
    });
  }

  /**
   * Sends an event whose time has come; what refuses it is what became of it. Answers when it is due where that is not yet, or the user has sent
   * too much by now, in milliseconds since the epoch, and undefined where nothing is left to do. Throws what is no refusal, and what may pass.
   */
  sendWhenDue(userId: UserId, delayId: string): Promise<number | undefined> {
    return this.#turns.run(delayId, async () => {
      const delay = (await this.of(userId)).get(delayId);
      if (!isScheduled(delay)) return undefined;
      const due = dueOf(delay);
      if (due > this.clock.now()) return due;
      const waitMs = this.#isLimited(userId, delay)
        ? this.limits.takeForUser('send', userId, await this.#limitOf(userId))
        : 0;
      if (waitMs > 0) return this.clock.now() + waitMs;
      try {
        await this.#end(userId, delayId, {
          outcome: 'send',
          reason: 'delay',
          event_id: await this.#sendNow(userId, delay),
        });
      } catch (error) {
        if (!(error instanceof MatrixError) || mayPass(error)) throw error;
        await this.#end(userId, delayId, { outcome: 'error', reason: 'delay', error: error.toBody() });
      }
      return undefined;
    });
  }

  /** Lets go of all that a user has sent later, whose account is closed. Answers whether there was anything of it. */
  end(userId: UserId, cause: Cause): Promise<boolean> {
    const whenShown = (position: Position): Promise<void> => this.views.whenProcessed(position, [DELAYED_EVENTS.name]);
    return this.#streams.end(delayedStream(userId), draftOf({ type: ENDED, data: {} }), cause, whenShown);
  }

  /** Whether it counts among what its user sends: not where an application service scheduled it whose requests do not. */
  #isLimited(userId: UserId, { event: { service } }: ScheduledDelay): boolean {
    return this.rights.isLimited(userId, service);
  }

  async #limitOf(userId: UserId): Promise<RateLimit | undefined> {
    return ownRateLimit((await findAccount(this.views, userId))?.rate_limit);
  }

  /** Under a transaction of its own, so that the room has it once whatever crashes in between. */
  async #sendNow(userId: UserId, { event }: ScheduledDelay): Promise<EventId> {
    // No token is asked for here, and what the user has scheduled goes, and they from their rooms, some time after the account is closed.
    const account = await findAccount(this.views, userId);
    if (account?.deactivated === true) throw new MatrixError('M_USER_DEACTIVATED');
    if (account?.locked === true) throw userLocked();
    const { delay_id: delayId, room_id: roomId, type, state_key: stateKey, guest, service } = event;
    const options = { sentAt: event.sent_at, stickyMs: event.sticky_ms };
    const content = parseJson(event.content, AS_IT_CAME) as JsonObject; // it was one when it came
    const requester: Requester = {
      userId,
      deviceId: DELAYED_BY as DeviceId,
      ...(account === undefined ? { isAdmin: false } : this.rights.withoutToken(userId, account, service)),
      ...(guest ? { isGuest: true } : {}),
      requestId: delayId,
    };
    const sent: EventSent = await this.commands.execute(
      stateKey === undefined
        ? new SendEvent(requester, roomId, type, content, delayId, options)
        : new SetState(requester, roomId, type, stateKey, content, { ...options, txnId: delayId }),
    );
    return sent.eventId;
  }

  async #end(userId: UserId, delayId: string, end: Omit<DelayEnd, 'ended_at'>): Promise<void> {
    const ended = { ...end, ended_at: this.clock.now() };
    await this.#decide(userId, { actor: userId }, (delays) => decideEnd(delays, delayId, ended));
  }

  /** Appends what is decided, settles once the views show it, and answers the state after it. */
  async #decide(
    userId: UserId,
    cause: Cause,
    decide: (delays: KnownDelays) => readonly DelayedEventFact[],
  ): Promise<KnownDelays> {
    const { state, facts, position } = await this.#streams.execute(
      delayedStream(userId),
      (delays) => decide(delays).map(toDraft),
      cause,
    );
    if (facts.length > 0) await this.views.whenProcessed(position, [DELAYED_EVENTS.name]);
    return state;
  }
}

function toDraft(fact: DelayedEventFact): FactDraft {
  return { id: randomUUID(), type: fact.type, ...textOfDelayed(fact) };
}
