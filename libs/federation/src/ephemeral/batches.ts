/** How long is waited for more at least, and at most, before it is told. */
const LEAST_MS = 200;
const MOST_MS = 30_000;
/** What one server more to be told costs everybody: so much longer it is waited the next time. */
const PER_SERVER_MS = 20;

/**
 * What is to be told to others, some at a time: the newest of each key. The more servers were told the last time, the longer it is
 * gathered, so that what goes on all the time in large rooms costs a part of the process and no more.
 */
export class Batches<T> {
  #waiting = new Map<string, T>();
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = LEAST_MS;

  /** `tell`: tells them, and answers how many servers had to be. Where it throws they are lost, and `onFailure` hears why. */
  constructor(
    private readonly tell: (gathered: readonly T[]) => Promise<number>,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  add(key: string, one: T): void {
    this.#waiting.delete(key);
    this.#waiting.set(key, one);
    this.#timer ??= setTimeout(() => void this.#flush(), this.#pauseMs).unref();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  async #flush(): Promise<void> {
    const gathered = [...this.#waiting.values()];
    this.#waiting.clear();
    let told = 0;
    try {
      told = await this.tell(gathered);
    } catch (error) {
      this.onFailure(error);
    }
    this.#pauseMs = Math.min(MOST_MS, Math.max(LEAST_MS, told * PER_SERVER_MS));
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => void this.#flush(), this.#pauseMs).unref();
  }
}
