import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import { RETRY_MS } from './runtime-parts.js';
import type { ViewsProgress } from './views-progress.js';

/**
 * Tells somebody of every fact, in order, once the projections have passed it that they read: no other is waited for. What was
 * not told at once is read from the log.
 */
export class FactFeed {
  #isBehind = false;
  #told: Position;

  constructor(
    private readonly store: Pick<EventStore, 'readAll'>,
    private readonly progress: ViewsProgress,
    readonly hear: (facts: readonly RecordedFact[]) => void,
    /** The collections of these projections; all by default. */
    private readonly reads: readonly string[] | undefined,
    private readonly signal: AbortSignal,
    /** What comes after this position is told. */
    after: Position,
  ) {
    this.#told = after;
    this.look();
  }

  /** Tells what the views have by now, of whoever they have it: what is offered next comes after that. */
  look(): void {
    if (!this.#isBehind && this.#told < this.progress.position) void this.#catchUp();
  }

  /** The next facts, which those projections have passed that move together. */
  offer(facts: readonly RecordedFact[]): void {
    const last = facts.at(-1)!.position;
    if (this.#isBehind || last <= this.#told) return;
    if (this.progress.havePassed(last, this.reads)) this.#tell(facts);
    else void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    this.#isBehind = true;
    while (!this.signal.aborted) {
      try {
        await this.progress.until(() => this.#isNextPassed);
        let upTo = this.progress.passed(this.reads);
        for await (const facts of this.store.readAll({ after: this.#told })) {
          const passed = this.progress.passed(this.reads);
          if (passed < upTo) upTo = passed;
          const due = facts.filter(({ position }) => position <= passed);
          if (due.length > 0) this.#tell(due);
          if (due.length < facts.length || this.signal.aborted) break;
        }
        // All up to there was told: the last of it may be gone from the log.
        if (!this.signal.aborted && this.#told < upTo) this.#told = upTo;
        // What is offered next comes next.
        if (this.#told >= this.progress.position) {
          this.#isBehind = false;
          return;
        }
      } catch {
        // Whoever follows the log says that it is away.
        await delay(RETRY_MS, undefined, { signal: this.signal }).catch(() => {});
      }
    }
  }

  get #isNextPassed(): boolean {
    return this.progress.readable !== undefined && this.progress.passed(this.reads) > this.#told;
  }

  #tell(facts: readonly RecordedFact[]): void {
    const fresh = facts[0]!.position > this.#told ? facts : facts.filter(({ position }) => position > this.#told);
    if (fresh.length === 0) return;
    this.#told = fresh.at(-1)!.position;
    this.hear(fresh);
  }
}
