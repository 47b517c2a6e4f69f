import { Inject, Injectable } from '@nestjs/common';
import { DELAYED_EVENTS } from '#calls/projections/delayed-events.projector';
import { DelayedEvents } from '#calls/delayed-events';
import { type DelayedEventFact, type DelayRestarted, type EventDelayed, userIdOfDelayed } from '#calls/facts/delayed-event-facts'; // prettier-ignore
import { isSaidAgain } from '#event-store/shorten-stream';
import type { RecordedFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { doublingPause } from '#kernel/doubling-pause';
import type { UserId } from '#kernel/ids';
import { messageOf } from '#kernel/message-of';
import { LOGGER, type Logger } from '#observability/logger';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

const TYPES: ReadonlySet<string> = new Set(['event-delayed', 'delay-restarted', 'delay-ended'] satisfies DelayedEventFact['type'][]); // prettier-ignore

/** Who begins with what was due while nobody could send or restart it lets clients restart it first. "MAY add up to 30 seconds". */
const GRACE_MS = 30_000;
/** Node takes no longer one. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Sends each delayed event once its time has come: MSC4140. All that wait are in memory, by their ids. */
@Injectable()
export class SendDelayedEvents implements Effect {
  readonly name = 'delayed-events';
  readonly handsOver = true;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isOn = false;

  constructor(
    private readonly delayed: DelayedEvents,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async begin(): Promise<void> {
    this.#isOn = true;
    for await (const page of DELAYED_EVENTS.pages(this.views, {})) {
      for (const { key, value } of page) {
        const { userId, since, delay } = value;
        if (since === undefined || delay === undefined) continue;
        const soonest = this.clock.now() + Math.min(delay, GRACE_MS);
        this.#wait(userId, key[0], Math.max(since + delay, soonest));
      }
    }
  }

  end(): void {
    this.#isOn = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  keyOf(fact: RecordedFact): string | undefined {
    return TYPES.has(fact.type) && !isSaidAgain(fact) ? fact.stream : undefined;
  }

  run({ type, stream, data }: RecordedFact): Promise<boolean> {
    const { delay_id: id } = JSON.parse(data) as EventDelayed | DelayRestarted;
    const wasWaiting = this.#stop(id);
    // When it is due is asked of the log, which may have more to say by now.
    if (type !== 'delay-ended') this.#wait(userIdOfDelayed(stream), id, this.clock.now());
    return Promise.resolve(type !== 'delay-ended' || wasWaiting);
  }

  #wait(userId: UserId, id: string, at: number, failures = 0): void {
    this.#stop(id);
    if (!this.#isOn) return;
    const inMs = Math.min(MAX_TIMER_MS, Math.max(0, at - this.clock.now()));
    this.#timers.set(id, setTimeout(() => void this.#send(userId, id, failures), inMs).unref());
  }

  #stop(id: string): boolean {
    clearTimeout(this.#timers.get(id));
    return this.#timers.delete(id);
  }

  async #send(userId: UserId, id: string, failures: number): Promise<void> {
    const timer = this.#timers.get(id);
    try {
      const due = await this.delayed.sendWhenDue(userId, id);
      if (due !== undefined) this.#wait(userId, id, due);
      else if (this.#timers.get(id) === timer) this.#timers.delete(id);
    } catch (error) {
      // The log or the views are away, or the room waits for other servers: it is as late as they are.
      if (failures === 0) {
        this.logger.warn({ context: 'delayed-events', user: userId }, `An event waits longer: ${messageOf(error)}`);
      }
      this.#wait(userId, id, this.clock.now() + doublingPause(failures + 1, 1_000, 60_000), failures + 1);
    }
  }
}
