import { MatrixError } from './matrix-error.js';

/** Whoever finds too many waiting may come again after so long. */
const RETRY_AFTER_MS = 5_000;

/** Lets so many tasks run at a time; the others wait, in the order of their coming, as many as may. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(
    most: number,
    private readonly mostWaiting = Infinity,
  ) {
    this.#free = most;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Answers what the task does. Throws what that throws, the reason of the signal where that ends the wait for a slot, and M_LIMIT_EXCEEDED where too many wait. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    try {
      return await task();
    } finally {
      // The slot goes from one to the next.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= this.mostWaiting) return Promise.reject(tooMany());
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(begin);
    });
  }
}

const tooMany = (): MatrixError =>
  new MatrixError('M_LIMIT_EXCEEDED', 'Too many ask for this at once', { fields: { retry_after_ms: RETRY_AFTER_MS } });
