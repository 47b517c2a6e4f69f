import type { EventStore } from '#event-store/event-store';
import { SharedRuns } from '#kernel/shared-runs';
import { whenShown } from './await-shown.js';
import type { Views } from './views.js';

/** What is looked at again and again. */
export interface RegularLook {
  /** Does what is due; answers after how many milliseconds there may be something again, `AT_LATEST_MS` where nothing says so. */
  look(): Promise<number>;
  /** Told why a look did not come to its end: what it did not do is done at the next. */
  failed(error: unknown): void;
}

/** The longest that a look is put off: timers end with the process, and clocks jump. */
export const AT_LATEST_MS = 60 * 60_000;
/** After so long it is looked again where a look did not come to its end: what is due has waited for it already. */
export const AGAIN_MS = 5 * 60_000;

/** Looks after what is due by the clock, and not by any fact: one look after another, at least once an hour, as long as the process runs. */
export class RegularLooks {
  readonly #looks = new SharedRuns(() => this.#look());
  #timer: NodeJS.Timeout | undefined;
  /** When the pause under way is over, by the time that the process has run. */
  #overAt = Infinity;
  #isStopped = false;

  constructor(private readonly regular: RegularLook) {}

  /** A look that is under way ends early then. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /**
   * Begins once collections show all that the log has: at the start of a process the projections begin after all else, and may be filled
   * anew. Where they end before that, nobody looks.
   */
  begin(views: Pick<Views, 'whenMoved'>, collections: readonly string[], log: Pick<EventStore, 'head'>): void {
    whenShown(views, collections, log).then(
      () => this.soon(),
      () => {},
    );
  }

  /** Looks now, or once more where a look is under way; settles when that is done. */
  now(): Promise<void> {
    return this.#looks.run();
  }

  /** As `now`, for who does not wait for it. */
  soon(): void {
    void this.now();
  }

  /** Looks after a pause of so many milliseconds at most, for who has just found what may be done later alone. */
  within(ms: number): void {
    const overAt = performance.now() + ms;
    if (this.#isStopped || overAt >= this.#overAt) return;
    clearTimeout(this.#timer);
    this.#overAt = overAt;
    this.#timer = setTimeout(() => this.soon(), ms).unref();
  }

  /** Settles once nobody looks any more. */
  async end(): Promise<void> {
    this.#isStopped = true;
    await this.#looks.run();
  }

  /** Throws nothing. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    this.#overAt = Infinity;
    if (this.#isStopped) return;
    let nextMs = AGAIN_MS;
    try {
      nextMs = await this.regular.look();
    } catch (error) {
      this.regular.failed(error);
    }
    this.within(Math.min(nextMs, AT_LATEST_MS));
  }
}
