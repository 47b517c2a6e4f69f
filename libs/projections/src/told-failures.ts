import { EventStoreUnavailable } from '#event-store/event-store-errors';
import { messageOf } from '#kernel/message-of';
import { StoreAway } from '#kernel/outage';
import type { Position } from '#kernel/position';
import { ViewsGone, ViewsUnavailable } from '#read-models/read-model-errors';
import { pauseAfter } from './effects/back-off.js';
import { RETRY_MS, type ProjectionLog } from './runtime-parts.js';

/** Who waits for facts that do not come goes on where nothing fails for so long. */
const CALM_MS = 3_000;

/**
 * Why somebody cannot go on who tries again and again: told once, and again where something else is wrong, and once that they go on.
 * Of a store that is away says so who holds it.
 */
export class ToldFailures {
  #reason: string | undefined;
  #tries = 0;

  constructor(
    private readonly log: ProjectionLog,
    private readonly who: string,
  ) {}

  /** In one line, as long as it is so. */
  get told(): string | undefined {
    return this.#reason === undefined ? undefined : `${this.who} waits: ${this.#reason}`;
  }

  /**
   * Tells what is wrong where that is news, and behind which position of the log. Answers how long to wait before the next try, in
   * milliseconds: longer each time, but for a store that is away.
   */
  note(error: unknown, behind?: Position): number {
    if (isAway(error)) return RETRY_MS;
    const reason = messageOf(error);
    const place = behind === undefined ? '' : ` behind position ${behind}`;
    if (reason !== this.#reason) this.log.error(`${this.who} waits${place}, and tries again: ${reason}`);
    this.#reason = reason;
    this.#tries++;
    return pauseAfter(this.#tries, RETRY_MS, Math.random());
  }

  /** A try begins that may have nothing to do. Answers what ends this: it has done something, or has failed. */
  tryOn(): () => void {
    if (this.#reason === undefined) return () => {};
    const calm = setTimeout(() => this.end(), CALM_MS).unref();
    return () => clearTimeout(calm);
  }

  /** It has gone well. */
  end(): void {
    if (this.#reason !== undefined) this.log.info(`${this.who} goes on`);
    this.#reason = undefined;
    this.#tries = 0;
  }
}

/** Whether a store could not be used for now, or views are not there that are made anew. */
export function isAway(error: unknown): boolean {
  return [ViewsUnavailable, ViewsGone, EventStoreUnavailable, StoreAway].some((away) => error instanceof away);
}
