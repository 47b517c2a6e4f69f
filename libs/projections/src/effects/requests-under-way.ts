import { setTimeout as delay } from 'node:timers/promises';

/** How long an answer waits for what follows from its own facts. */
const ANSWER_MS = 1_000;

/** What follows from the facts of requests and is not done yet, by their ids. */
export class RequestsUnderWay {
  readonly #running = new Map<string, Set<Promise<void>>>();

  track(requestId: string, running: Promise<void>): void {
    const all = this.#running.get(requestId) ?? new Set();
    this.#running.set(requestId, all.add(running));
    void running.finally(() => {
      all.delete(running);
      if (all.size === 0) this.#running.delete(requestId);
    });
  }

  /** Settles when all of a request is done, after a second at the latest; undefined where there is nothing to wait for. */
  find(requestId: string): Promise<unknown> | undefined {
    const running = this.#running.get(requestId);
    if (running === undefined) return undefined;
    return Promise.race([Promise.all(running), delay(ANSWER_MS, undefined, { ref: false })]);
  }
}
