import type { EventStore } from '#event-store/event-store';
import { doublingPause } from '#kernel/doubling-pause';
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

  /** Settles once nobody looks any more. */
  async end(): Promise<void> {
    this.#isStopped = true;
    await this.#looks.run();
  }

  /** Throws nothing. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    let nextMs = AGAIN_MS;
    try {
      nextMs = await this.regular.look();
    } catch (error) {
      this.regular.failed(error);
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => this.soon(), Math.min(nextMs, AT_LATEST_MS)).unref();
  }
}

/**
 * What effects have in common of which another server may be away that has to take what they do: they try again for as long as that lasts, by the one process that
 * runs them. As it begins, five minutes after, at last each hour.
 */
export abstract class RetryingEffect {
  #looks: RegularLooks | undefined;
  /** After so many tries in a row there was something left. */
  #failures = 0;

  /** Tries all of it; ends early once `isStopped` says so. Answers whether some of it is to be tried once more. */
  protected abstract tryAgain(isStopped: () => boolean): Promise<boolean>;

  /** As of `RegularLook`. */
  protected abstract failed(error: unknown): void;

  async begin(): Promise<void> {
    this.#looks ??= new RegularLooks({
      look: () => this.#look(),
      failed: (error) => this.failed(error),
    });
    this.trySoon();
  }

  end(): void {
    void this.#looks?.end();
    this.#looks = undefined;
  }

  /** Tries now, or once more where that is under way; settles when it is done. For tests; else it is done by itself. */
  look(): Promise<void> {
    return this.#looks?.now() ?? Promise.resolve();
  }

  /** Tries soon, for who does not wait for it. */
  protected trySoon(): void {
    this.#looks?.soon();
  }

  async #look(): Promise<number> {
    const isLeft = await this.tryAgain(() => this.#looks === undefined);
    this.#failures = isLeft ? this.#failures + 1 : 0;
    return isLeft ? doublingPause(this.#failures, AGAIN_MS, AT_LATEST_MS) : AT_LATEST_MS;
  }
}
