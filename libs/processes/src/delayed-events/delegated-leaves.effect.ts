import { Inject, Injectable } from '@nestjs/common';
import { DelegatedLeaves } from '#calls/delegated-leaves';
import type { DelayDelegated, DelayedEventFact } from '#calls/facts/delayed-event-facts';
import { DELEGATED_LEAVES } from '#calls/projections/delayed-events.projector';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import { messageOf } from '#kernel/message-of';
import { LOGGER, type Logger } from '#observability/logger';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

const ENDED: DelayedEventFact['type'] = 'delay-ended';
const TYPES: ReadonlySet<string> = new Set(['delay-delegated', ENDED] satisfies DelayedEventFact['type'][]);
const RETRY_MS = 10_000;
/** All that are there at a start are not looked at in one moment. */
const BETWEEN_MS = 10;
const SPREAD_MS = 5_000;

/** Looks after the hang-ups that clients have handed over: MSC4195. All of them are in memory, by their ids. */
@Injectable()
export class LookAfterLeaves implements Effect {
  readonly name = 'delegated-leaves';
  readonly handsOver = true;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #runs = false;

  constructor(
    private readonly leaves: DelegatedLeaves,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async begin(): Promise<void> {
    this.#runs = true;
    let inMs = 0;
    for await (const page of DELEGATED_LEAVES.pages(this.views, {})) {
      for (const { value } of page) this.#wait(value.delayId, (inMs += BETWEEN_MS) % SPREAD_MS, false);
    }
  }

  end(): void {
    this.#runs = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  keyOf(fact: RecordedFact): string | undefined {
    return TYPES.has(fact.type) && !isSaidAgain(fact) ? fact.stream : undefined;
  }

  async run({ type, data }: RecordedFact): Promise<boolean> {
    const { delay_id: id } = JSON.parse(data) as DelayDelegated;
    if (type === ENDED) return this.#stop(id);
    this.#wait(id, 0, false);
    return true;
  }

  #wait(id: string, inMs: number, wasSeen: boolean): void {
    this.#stop(id);
    if (this.#runs) this.#timers.set(id, setTimeout(() => void this.#look(id, wasSeen), inMs).unref());
  }

  #stop(id: string): boolean {
    clearTimeout(this.#timers.get(id));
    return this.#timers.delete(id);
  }

  async #look(id: string, wasSeen: boolean): Promise<void> {
    const timer = this.#timers.get(id);
    const isStillMine = (): boolean => this.#timers.get(id) === timer;
    try {
      const next = await this.leaves.look(id, wasSeen);
      if (!isStillMine()) return;
      if (next === undefined) this.#timers.delete(id);
      else this.#wait(id, next.inMs, next.wasSeen);
    } catch (error) {
      this.logger.warn({ context: 'delegated-leaves' }, `A hang-up is looked after later: ${messageOf(error)}`);
      if (isStillMine()) this.#wait(id, RETRY_MS, wasSeen);
    }
  }
}
