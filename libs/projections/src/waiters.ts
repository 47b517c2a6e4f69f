import type { Position } from '#kernel/position';

interface Waiter {
  readonly position: Position;
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Promises that settle when a position is passed. */
export class Waiters {
  /** In order of position. */
  readonly #waiting: Waiter[] = [];

  wait(position: Position): Promise<void> {
    return new Promise((resolve, reject) => {
      let at = this.#waiting.length;
      while (at > 0 && this.#waiting[at - 1]!.position > position) at--;
      this.#waiting.splice(at, 0, { position, since: performance.now(), resolve, reject });
    });
  }

  /** Settles those that wait for this position or an earlier one. */
  pass(position: Position): void {
    let count = 0;
    while (count < this.#waiting.length && this.#waiting[count]!.position <= position) count++;
    for (const { resolve } of this.#waiting.splice(0, count)) resolve();
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Settles those that have waited so long, though the position has not been passed. Answers how many they were. */
  releaseAfter(milliseconds: number): number {
    const before = performance.now() - milliseconds;
    const late = this.#waiting.filter(({ since }) => since <= before);
    if (late.length === 0) return 0;
    this.#waiting.splice(0, this.#waiting.length, ...this.#waiting.filter(({ since }) => since > before));
    for (const { resolve } of late) resolve();
    return late.length;
  }

  /** Settles all, though the position they wait for has not been passed. */
  release(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /** Rejects all: what they wait for will not come. */
  fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
