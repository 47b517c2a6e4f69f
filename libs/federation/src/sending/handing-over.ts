import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedFact } from '#event-store/event-store';
import { isOutage } from '../is-outage.js';

/** How facts are handed over: first all that there is to read of one, then, at once, to whom it goes. */
export interface Handover<T> {
  read(fact: RecordedFact): Promise<T>;
  /** That what was read still is what was written: rows that somebody threw away look like rows that never were. */
  confirm(): Promise<void>;
  give(fact: RecordedFact, read: T): void;
}

interface Waiting {
  readonly fact: RecordedFact;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** So many facts are read before it is confirmed that what was read counts. */
const AT_ONCE = 100;
/** The pauses while the log or the views are away. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Hands facts over in their order. Of none is anything given before all that is to be given of it is known; and while the log or the
 * views are away it waits, with all that come behind it: so nothing goes twice, or ahead of what was before it.
 */
export class HandingOver<T> {
  readonly #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(
    private readonly parts: Handover<T>,
    /** Nothing is given any more. */
    private readonly ending: AbortSignal,
  ) {}

  /** Settles once a fact was given. Throws what reading it throws, but for outages; then those behind it go on. The reason of `ending`. */
  run(fact: RecordedFact): Promise<void> {
    const given = new Promise<void>((resolve, reject) => this.#waiting.push({ fact, resolve, reject }));
    if (!this.#isRunning) void this.#runAll();
    return given;
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) await this.#runSome(this.#waiting.splice(0, AT_ONCE));
    this.#isRunning = false;
  }

  async #runSome(some: readonly Waiting[]): Promise<void> {
    try {
      const read = await this.#readSome(some);
      for (const [{ fact, resolve }, found] of read) {
        this.parts.give(fact, found);
        resolve();
      }
    } catch (error) {
      for (const { reject } of some) reject(error);
    }
  }

  async #readSome(some: readonly Waiting[]): Promise<readonly (readonly [Waiting, T])[]> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        const read: [Waiting, T][] = [];
        for (const one of some) {
          const found = await this.#readOne(one);
          if (found !== undefined) read.push([one, found.value]);
        }
        await this.parts.confirm();
        this.ending.throwIfAborted();
        return read;
      } catch (error) {
        this.ending.throwIfAborted();
        if (!isOutage(error)) throw error;
        await delay(pause, undefined, { signal: this.ending, ref: false });
      }
    }
  }

  /** Undefined where it fails by itself: that is told to who waits for it. Throws where the log or the views are away. */
  async #readOne({ fact, reject }: Waiting): Promise<{ readonly value: T } | undefined> {
    this.ending.throwIfAborted();
    try {
      return { value: await this.parts.read(fact) };
    } catch (error) {
      if (isOutage(error)) throw error;
      reject(error);
      return undefined;
    }
  }
}
