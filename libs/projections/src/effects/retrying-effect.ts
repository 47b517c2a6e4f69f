import { doublingPause } from '#kernel/doubling-pause';
import { AGAIN_MS, AT_LATEST_MS, RegularLooks } from '../regular-looks.js';

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
