import type { Position } from '#kernel/position';

/** An answer may end where was heard last: it is given all the same where what the views show is not told of for so long. */
const MOST_MS = 6_000;

interface Waiting {
  readonly position: Position;
  readonly resolve: () => void;
}

/** Lets wait until what the views show has been heard of. */
export class Hearing {
  /** In the order of their positions, as views only go on. */
  readonly #waiting: Waiting[] = [];
  /** Somebody waited in vain, and nothing has been heard since. */
  #isDeaf = false;

  /** Settles when everything up to a position was heard, or after some seconds. From then on nobody waits before something is heard again. */
  async wait(position: Position): Promise<void> {
    if (this.#isDeaf) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#waiting.push({ position, resolve });
      timer = setTimeout(() => {
        this.#isDeaf = true;
        this.end();
      }, MOST_MS);
    });
    clearTimeout(timer);
  }

  /** Everything up to a position has been heard. */
  pass(position: Position): void {
    this.#isDeaf = false;
    while (this.#waiting[0] !== undefined && this.#waiting[0].position <= position) this.#waiting.shift()?.resolve();
  }

  /** Lets all go. */
  end(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }
}
