interface Waiter {
  readonly isMet: () => boolean;
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Promises that settle when something has come to be; it is looked at when told to. */
export class Conditions {
  #waiting: Waiter[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  async wait(isMet: () => boolean): Promise<void> {
    if (isMet()) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ isMet, since: performance.now(), resolve, reject });
    });
  }

  /** Settles those whose condition is met by now. */
  check(): void {
    if (this.#waiting.length > 0) this.#settle(({ isMet }) => isMet());
  }

  /** Settles those that have waited so long all the same. Answers how many they were. */
  releaseAfter(milliseconds: number): number {
    const before = performance.now() - milliseconds;
    return this.#settle(({ since }) => since <= before);
  }

  /** Rejects all: what they wait for will not come. */
  fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #settle(isDue: (waiter: Waiter) => boolean): number {
    const due = new Set(this.#waiting.filter(isDue));
    if (due.size === 0) return 0;
    this.#waiting = this.#waiting.filter((waiter) => !due.has(waiter));
    for (const { resolve } of due) resolve();
    return due.size;
  }
}
