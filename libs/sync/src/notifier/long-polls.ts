import { Inject, Injectable } from '@nestjs/common';
import type { OpenSession } from '#http/open-session';
import { SHUTDOWN } from '#http/shutdown';
import { CLOCK, type Clock, type Stopwatch } from '#kernel/clock';
import type { Slots } from '#kernel/slots';
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
    const { interest, session, timeout, gone, slots } = poll;
    const deadline = this.clock.elapsed() + Math.min(timeout, MAX_WAIT_MS);
    const signals = [gone, this.shutdown];
    const computeNow = (): Promise<T> => {
      interest.rearm();
      return compute();
    };
    for (;;) {
      const answer = await (slots === undefined ? computeNow() : slots.run(computeNow));
      // Only now, when the end of the answer is fixed: it holds nothing from after the end of the session.
      const validUntil = await session.validUntil();
      const left = deadline - this.clock.elapsed();
      if (answer.isNews || left <= 0 || signals.some((signal) => signal.aborted)) return answer;
      await interest.wait(Math.min(left, validUntil - this.clock.now()), signals);
    }
  }
}
