import { doublingPause } from '#kernel/doubling-pause';
import { AGAIN_MS, AT_LATEST_MS, RegularLooks } from '../regular-looks.js';

/**
 * What effects have in common of which another server may be away that has to take what they do: they try again for as long as that lasts, by the one process that
 * runs them. As it begins, five minutes after, at last each hour.
 */
export abstract class RetryingEffect {
  #looks: RegularLooks | undefined;
  /** Settles once nobody looks any more of those before: at one time one looks. */
  #ending: Promise<void> = Promise.resolve();
  /** After so many tries in a row there was something left. */
  #failures = 0;

  /** Tries all of it; ends early once `isStopped` says so. Answers whether some of it is to be tried once more. */
  protected abstract tryAgain(isStopped: () => boolean): Promise<boolean>;

  /** As of `RegularLook`. */
  protected abstract failed(error: unknown): void;

  async begin(): Promise<void> {
    const ending = this.#ending;
    const looks: RegularLooks = (this.#looks ??= new RegularLooks({
      look: () => ending.then(() => this.#look(looks)),
      failed: (error) => this.failed(error),
    }));
    looks.soon();
  }

  end(): void {
    this.#ending = this.#looks?.end() ?? this.#ending;
    this.#looks = undefined;
  }

  /** Tries now, or once more where that is under way; settles when it is done. For tests; else it is done by itself. */
  look(): Promise<void> {
    return this.#looks?.now() ?? Promise.resolve();
  }

  /** Something is left that was tried just now. */
  protected tryLater(): void {
    this.#looks?.within(AGAIN_MS);
  }

  async #look(looks: RegularLooks): Promise<number> {
    const isLeft = await this.tryAgain(() => looks.isStopped);
    this.#failures = isLeft ? this.#failures + 1 : 0;
    return isLeft ? doublingPause(this.#failures, AGAIN_MS, AT_LATEST_MS) : AT_LATEST_MS;
  }
}
