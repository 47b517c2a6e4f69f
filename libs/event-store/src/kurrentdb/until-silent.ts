/** How often it is looked whether anything came, within the time that a message may take. */
const LOOKS = 5;
const LOOKS_UNTIL_ASKED = 2;

/** A server that holds a call open and says nothing. Transient, as `transient.ts` has it. */
export class ServerSilent extends Error {
  readonly type = 'timeout';

  constructor(ms: number) {
    super(`no message for ${ms} ms`);
    this.name = 'ServerSilent';
  }
}

/** A reading for which the server goes through what others wrote, and says nothing meanwhile. */
export interface Search {
  /** Settles when the server answers another reading. */
  readonly isThere: () => Promise<unknown>;
  /** For how long it may say nothing, though it is there. */
  readonly mostMs: number;
}

/**
 * Passes on what a reading brings. Throws ServerSilent when the next message does not come in time, however many came before;
 * how long the consumer takes with one does not count. Where the server may have to search, it is asked half-way whether it is
 * there: then it is only busy and has that time again, but no more than `search.mostMs`, for it may have lost this one reading.
 * The reading is abandoned in the end: the library cannot cancel it.
 *
 * PERF: one timer for a reading, not one for each event.
 */
export async function* untilSilent<T>(
  messages: AsyncIterable<T>,
  ms: number,
  search?: Search,
): AsyncGenerator<T, void> {
  const iterator = messages[Symbol.asyncIterator]();
  let fail: ((error: Error) => void) | undefined;
  let quietLooks = 0;
  /** Since the last message, however often the server has shown since that it is there. */
  let looks = 0;
  const mostLooks = search === undefined ? LOOKS : Math.ceil((search.mostMs / ms) * LOOKS);
  const ask = (): void => {
    search?.isThere().then(
      () => (quietLooks = 0),
      () => {},
    );
  };
  const timer = setInterval(() => {
    if (fail === undefined) return;
    looks++;
    quietLooks++;
    if (quietLooks >= LOOKS || looks >= mostLooks) fail(new ServerSilent(Math.round((looks / LOOKS) * ms)));
    else if (quietLooks === LOOKS_UNTIL_ASKED) ask();
  }, ms / LOOKS);
  let isDone = false;
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        fail = reject;
        iterator.next().then(resolve, reject);
      });
      fail = undefined;
      looks = quietLooks = 0;
      if (next.done === true) {
        isDone = true;
        return;
      }
      yield next.value;
    }
  } catch (error) {
    isDone = true;
    throw error;
  } finally {
    clearInterval(timer);
    if (!isDone) await iterator.return?.();
  }
}
