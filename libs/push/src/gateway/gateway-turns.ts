import type { GatewayAnswer } from './push-gateways.js';

/** At first; with each answer one more, for most gateways are those of many users. */
const AT_ONCE = 8;
export const MOST_AT_ONCE = 32;
/** So many failures in a row, of whomever it was told, and it is away. */
const AWAY = 8;

interface Waiting {
  readonly hasFailed: boolean;
  readonly begin: () => void;
  readonly fail: (reason: unknown) => void;
}

/**
 * Whose turn it is to speak to one gateway: a few at once, more of them while it answers, and one while it is away. Who failed before waits for those who did not: what a
 * gateway does not answer holds up nobody else.
 */
export class GatewayTurns {
  readonly #fresh: Waiting[] = [];
  readonly #failed: Waiting[] = [];
  readonly #sleepers = new Set<() => void>();
  #running = 0;
  #failures = 0;
  #atOnce = AT_ONCE;
  /** Why it has ended. */
  #end: Error | undefined;

  /** Nobody speaks to it, or waits to. */
  get isIdle(): boolean {
    return this.#running + this.#fresh.length + this.#failed.length + this.#sleepers.size === 0;
  }

  /** It failed so often that one at a time tries. */
  get isAway(): boolean {
    return this.#failures >= AWAY;
  }

  /** Runs a task in its turn. `hasFailed`: it failed the last time. Throws what `end` was given. */
  async run<T extends Pick<GatewayAnswer, 'kind'>>(task: () => Promise<T>, hasFailed: boolean): Promise<T> {
    if (this.#end !== undefined) throw this.#end;
    await new Promise<void>((begin, fail) => {
      (hasFailed ? this.#failed : this.#fresh).push({ hasFailed, begin, fail });
      this.#next();
    });
    try {
      const answer = await task();
      this.#note(answer);
      return answer;
    } finally {
      this.#running--;
      this.#next();
    }
  }

  /** Settles after so many milliseconds, or once the gateway is there again. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms).unref();
      this.#sleepers.add(wake);
    });
  }

  /** Nothing more begins. */
  end(reason: Error): void {
    this.#end = reason;
    for (const { fail } of [...this.#fresh.splice(0), ...this.#failed.splice(0)]) fail(reason);
    for (const wake of this.#sleepers) wake();
  }

  /** Where nothing was sent nothing is known. */
  #note({ kind }: Pick<GatewayAnswer, 'kind'>): void {
    if (kind === 'nothing') return;
    const wasAway = this.isAway;
    this.#failures = kind === 'away' ? this.#failures + 1 : 0;
    this.#atOnce = kind === 'away' ? AT_ONCE : Math.min(MOST_AT_ONCE, this.#atOnce + 1);
    if (wasAway && kind !== 'away') for (const wake of this.#sleepers) wake();
  }

  #next(): void {
    while (this.#running < (this.isAway ? 1 : this.#atOnce)) {
      const next = this.#fresh.shift() ?? this.#failed.shift();
      if (next === undefined) return;
      this.#running++;
      next.begin();
    }
  }
}
