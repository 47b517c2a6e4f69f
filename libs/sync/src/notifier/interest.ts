/**
 * One request that waits, or may come to wait, for news. It is registered before its answer is computed; what happens from
 * then on is not lost: either the computation sees it, or `wait` ends at once.
 */
export class Interest {
  #woken = false;
  #resolve: (() => void) | undefined;
  /** Whether presence is told of where it waits: else it is not woken for that. */
  hearsPresence = true;

  /** `onClose` takes it out of whatever would wake it. */
  constructor(private readonly onClose: (interest: Interest) => void) {}

  /** Says that there may be news. */
  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  /** Whether there may be news since `rearm`. */
  get isWoken(): boolean {
    return this.#woken;
  }

  /** Forgets what it was woken for. To be called before each computation. */
  rearm(): void {
    this.#woken = false;
  }

  /** Settles when there may be news since `rearm`, after so many milliseconds, or when a signal aborts. */
  async wait(milliseconds: number, signals: readonly AbortSignal[]): Promise<void> {
    if (this.#woken || milliseconds <= 0 || signals.some((signal) => signal.aborted)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(end, milliseconds);
      function end(): void {
        clearTimeout(timer);
        for (const signal of signals) signal.removeEventListener('abort', end);
        resolve();
      }
      this.#resolve = end;
      for (const signal of signals) signal.addEventListener('abort', end, { once: true });
    });
    this.#resolve = undefined;
  }

  close(): void {
    this.onClose(this);
  }
}
