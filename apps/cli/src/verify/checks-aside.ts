/** Enough that no core waits; each holds one event. */
const MOST = 256;

/** Checks that other cores are busy with, a bounded number of them. */
export class ChecksAside {
  #count = 0;
  #onFewer: (() => void) | undefined;

  /** Whether `room` should be awaited before another one is added. */
  get isFull(): boolean {
    return this.#count >= MOST;
  }

  add(check: Promise<void>): void {
    this.#count++;
    void check.finally(() => {
      this.#count--;
      this.#onFewer?.();
    });
  }

  /** Settles when there is room for more: when half of them are done. */
  room(): Promise<void> {
    return this.#untilAtMost(MOST / 2);
  }

  /** Settles when all are done. */
  settled(): Promise<void> {
    return this.#untilAtMost(0);
  }

  async #untilAtMost(count: number): Promise<void> {
    while (this.#count > count) {
      await new Promise<void>((resolve) => {
        this.#onFewer = resolve;
      });
    }
    this.#onFewer = undefined;
  }
}
