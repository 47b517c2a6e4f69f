/**
 * Runs a task for many: one run after another, and whoever asks while one is under way shares the next. So each gets what a run found out
 * that began after they had asked.
 */
export class SharedRuns<T> {
  /** Settles with the run under way. */
  #running: Promise<unknown> = Promise.resolve();
  /** The run after it, which has not begun. */
  #next: Promise<T> | undefined;

  constructor(private readonly task: () => Promise<T>) {}

  /** Answers what the next run does, or throws what that throws. */
  run(): Promise<T> {
    return (this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const run = this.task();
      this.#running = run.catch(() => {});
      return run;
    }));
  }
}
