import { Inject, Injectable } from '@nestjs/common';
import { DELAYED_EVENTS, type DelayRow } from '#calls/projections/delayed-events.projector';
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

const ENDED: DelayedEventFact['type'] = 'delay-ended';
const TYPES: ReadonlySet<string> = new Set(['event-delayed', 'delay-restarted', 'delay-ended'] satisfies DelayedEventFact['type'][]); // prettier-ignore

/** Who begins with what was due while nobody could send or restart it lets clients restart it first. "MAY add up to 30 seconds". */
const GRACE_MS = 30_000;
/** The longest a look at the clock is put off: clocks jump, as of a machine that had none while it was off, and timers stand still while it sleeps. */
const LOOK_MS = 60_000;

/** Sends each delayed event once its time has come: MSC4140. All that wait are in memory, by their ids. */
@Injectable()
export class SendDelayedEvents implements Effect {
  readonly name = 'delayed-events';
  readonly handsOver = true;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Since when this process sends, in milliseconds since the epoch; undefined where it does not. */
  #since: number | undefined;

  constructor(
    private readonly delayed: DelayedEvents,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async begin(): Promise<void> {
    this.#since = this.clock.now();
    for await (const page of DELAYED_EVENTS.pages(this.views, {})) {
      for (const { key, value } of page) {
        const at = this.#dueOf(value);
        if (at !== undefined) this.#wait(value.userId, key[0], at);
      }
    }
  }

  end(): void {
    this.#since = undefined;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  keyOf(fact: RecordedFact): string | undefined {
    return TYPES.has(fact.type) && !isSaidAgain(fact) ? fact.stream : undefined;
  }

  async run({ type, stream, data, metadata }: RecordedFact): Promise<boolean> {
    const { delay_id: id } = JSON.parse(data) as EventDelayed | DelayRestarted;
    if (type === ENDED) return this.#stop(id);
    // Of what was said before this process began it is heard once more where that was not noted yet.
    const isOld = metadata.at <= (this.#since ?? Infinity);
    const row = isOld ? await DELAYED_EVENTS.get(this.views, [id]) : undefined;
    // When it is due is asked of the log, which may have more to say by now.
    this.#wait(userIdOfDelayed(stream), id, (row && this.#dueOf(row)) ?? this.clock.now());
    return true;
  }

  /** When to send what waits, of which the row tells: as it says, but not before clients could restart it. */
  #dueOf({ since, delay }: DelayRow): number | undefined {
    if (since === undefined || delay === undefined) return undefined;
    return Math.max(since + delay, (this.#since ?? this.clock.now()) + Math.min(delay, GRACE_MS));
  }

  #wait(userId: UserId, id: string, at: number, failures = 0): void {
    this.#stop(id);
    if (this.#since === undefined) return;
    const inMs = Math.max(0, at - this.clock.now());
    const look = (): void =>
      inMs > LOOK_MS ? this.#wait(userId, id, at, failures) : void this.#send(userId, id, failures);
    this.#timers.set(id, setTimeout(look, Math.min(inMs, LOOK_MS)).unref());
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
