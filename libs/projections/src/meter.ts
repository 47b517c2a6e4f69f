const WINDOW_MS = 5000;

/** Counts facts and answers how many pass per second, over the last few seconds. */
export class Meter {
  #samples: { at: number; count: number }[] = [];

  /** Notes that `count` more facts have passed. */
  add(count: number): void {
    const at = performance.now();
    const last = this.#samples.at(-1);
    // Samples of a tenth of a second: at most fifty are kept.
    if (last !== undefined && at - last.at < 100) last.count += count;
    else this.#samples.push({ at, count });
    while (at - this.#samples[0]!.at > WINDOW_MS) this.#samples.shift();
  }

  /** Facts per second lately; 0 when nothing passed for a while. */
  perSecond(): number {
    const now = performance.now();
    const recent = this.#samples.filter((sample) => now - sample.at <= WINDOW_MS);
    if (recent.length === 0) return 0;
    const seconds = Math.max(now - recent[0]!.at, 100) / 1000;
    return recent.reduce((sum, sample) => sum + sample.count, 0) / seconds;
  }
}
