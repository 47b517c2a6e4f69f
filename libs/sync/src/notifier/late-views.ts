import { setTimeout as delay } from 'node:timers/promises';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';

/** While views go through a long log, waking is worth no more of a process than this: as many as it wakes, so long it then waits. */
const PAUSE_PER_WOKEN_MS = 10;
const MAX_PAUSE_MS = 30_000;

/**
 * Wakes who waits as the views pass what was heard of before: of what those lacked that were paused or made anew nobody tells again, and
 * answers have ended before it meanwhile.
 */
export class LateViews {
  readonly #ended = new AbortController();
  #isFollowing = false;

  /** `heard`: up to where was heard; `wake`: wakes all who wait, and answers how many. */
  constructor(
    private readonly views: Pick<Views, 'whenMoved'>,
    private readonly reads: readonly string[],
    private readonly heard: () => Position,
    private readonly wake: () => number,
  ) {}

  /** The views were seen at a position before which more was heard: follows them until they have that. */
  follow(from: Position): void {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    void this.#follow(from)
      .catch(() => {}) // the projections were stopped
      .finally(() => (this.#isFollowing = false));
  }

  end(): void {
    this.#ended.abort();
  }

  async #follow(from: Position): Promise<void> {
    const { signal } = this.#ended;
    for (let at = from; at < this.heard() && !signal.aborted;) {
      at = await this.views.whenMoved(at, this.reads);
      const pause = Math.min(MAX_PAUSE_MS, this.wake() * PAUSE_PER_WOKEN_MS);
      await delay(pause, undefined, { signal, ref: false });
    }
  }
}
