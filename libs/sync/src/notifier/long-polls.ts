import { Inject, Injectable } from '@nestjs/common';
import type { OpenSession } from '#http/open-session';
import { SHUTDOWN } from '#http/shutdown';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import { Slots } from '#kernel/slots';
import type { Interest } from './interest.js';

/** A request that may wait for news. */
export interface LongPoll {
  readonly interest: Interest;
  readonly session: OpenSession;
  /** How long it waits for news, in milliseconds: 0 where it is answered at once. */
  readonly timeout: number;
  /** Aborts when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
  /** In which its answers are computed; in their own time where there are none. */
  readonly slots?: Slots;
}

const MAX_WAIT_MS = 120_000;

/**
 * How many answers are computed at once: enough to keep a remote store busy. A message that wakes a thousand requests is told to the
 * first of them after one computation, not after a thousand that take turns.
 */
const AT_ONCE = 8;

/** Where the answers of one kind are computed. Initial ones, which take longer, wait apart. */
export class AnswerSlots {
  readonly #initial = new Slots(AT_ONCE);
  readonly #incremental = new Slots(AT_ONCE);

  of(isIncremental: boolean): Slots {
    return isIncremental ? this.#incremental : this.#initial;
  }
}

/** Lets requests wait for news: /sync, sliding sync and the event stream. */
@Injectable()
export class LongPolls {
  constructor(
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
    @Inject(SHUTDOWN) private readonly shutdown: AbortSignal,
  ) {}

  /**
   * The first answer that is news, or the last one once its time is over, nobody waits any more or the server ends. Throws
   * M_UNKNOWN_TOKEN (the session ended meanwhile), and what `compute` throws.
   */
  async answer<T extends { readonly isNews: boolean }>(poll: LongPoll, compute: () => Promise<T>): Promise<T> {
    const deadline = this.clock.elapsed() + Math.min(poll.timeout, MAX_WAIT_MS);
    const signals = [poll.gone, this.shutdown];
    for (;;) {
      // PERF: an answer that tells nothing is let go before it waits: thousands wait.
      const outcome = await this.#once(poll, compute, deadline, signals);
      if (typeof outcome !== 'number') return outcome;
      await poll.interest.wait(outcome, signals);
    }
  }

  /** An answer, or how long to wait for a better one, in milliseconds. */
  async #once<T extends { readonly isNews: boolean }>(
    { interest, session, slots }: LongPoll,
    compute: () => Promise<T>,
    deadline: number,
    signals: readonly AbortSignal[],
  ): Promise<T | number> {
    const computeNow = (): Promise<T> => {
      interest.rearm();
      return compute();
    };
    const answer = await (slots === undefined ? computeNow() : slots.run(computeNow));
    // Only now, when the end of the answer is fixed: it holds nothing from after the end of the session.
    const validUntil = await session.validUntil();
    const left = deadline - this.clock.elapsed();
    if (answer.isNews || left <= 0 || signals.some((signal) => signal.aborted)) return answer;
    return Math.min(left, validUntil - this.clock.now());
  }
}
