import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import type { ToldFailures } from './told-failures.js';
import type { ViewsProgress } from './views-progress.js';

/** What a feed follows, and where it says that it cannot. */
export interface FeedParts {
  readonly store: Pick<EventStore, 'readAll'>;
  readonly progress: ViewsProgress;
  readonly failures: ToldFailures;
  readonly signal: AbortSignal;
}

/**
 * Tells somebody of every fact, in order, once the projections have passed it that they read: no other is waited for. What was
 * not told at once is read from the log.
 */
export class FactFeed {
  #isBehind = false;
  #told: Position;

  constructor(
    private readonly parts: FeedParts,
    readonly hear: (facts: readonly RecordedFact[]) => void,
    /** The collections of these projections; all by default. */
    private readonly reads: readonly string[] | undefined,
    /** What comes after this position is told. */
    after: Position,
  ) {
    this.#told = after;
    this.look();
  }

  /** Why it cannot go on, in one line. */
  get failure(): string | undefined {
    return this.parts.failures.told;
  }

  /** Tells what the views have by now, of whoever they have it: what is offered next comes after that. */
  look(): void {
    if (!this.#isBehind && this.#told < this.parts.progress.position) void this.#catchUp();
  }

  /** The next facts, which those projections have passed that move together. */
  offer(facts: readonly RecordedFact[]): void {
    const last = facts.at(-1)!.position;
    if (this.#isBehind || last <= this.#told) return;
    if (this.parts.progress.havePassed(last, this.reads)) this.#tell(facts);
    else void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    const { store, progress, failures, signal } = this.parts;
    this.#isBehind = true;
    while (!signal.aborted) {
      try {
        await progress.until(() => this.#isNextPassed);
        let upTo = progress.passed(this.reads);
        for await (const facts of store.readAll({ after: this.#told })) {
          const passed = progress.passed(this.reads);
          if (passed < upTo) upTo = passed;
          const due = facts.filter(({ position }) => position <= passed);
          if (due.length > 0) this.#tell(due);
          if (due.length < facts.length || signal.aborted) break;
        }
        failures.end();
        // All up to there was told: the last of it may be gone from the log.
        if (!signal.aborted && this.#told < upTo) this.#told = upTo;
        // What is offered next comes next.
        if (this.#told >= progress.position) {
          this.#isBehind = false;
          return;
        }
      } catch (error) {
        if (signal.aborted) return;
        await delay(failures.note(error, this.#told), undefined, { signal }).catch(() => {});
      }
    }
  }

  get #isNextPassed(): boolean {
    return this.parts.progress.readable !== undefined && this.parts.progress.passed(this.reads) > this.#told;
  }

  #tell(facts: readonly RecordedFact[]): void {
    const fresh = facts[0]!.position > this.#told ? facts : facts.filter(({ position }) => position > this.#told);
    if (fresh.length === 0) return;
    this.#told = fresh.at(-1)!.position;
    this.hear(fresh);
  }
}
