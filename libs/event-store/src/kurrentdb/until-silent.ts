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

/**
 * Passes on what a reading brings. Throws ServerSilent when the next message does not come in time, however many came before;
 * how long the consumer takes with one does not count. Half-way `isThere` is asked: whoever answers it is only busy, with
 * searching what others wrote, and has that time again. The reading is abandoned in the end: the library cannot cancel it.
 *
 * PERF: one timer for a reading, not one for each event.
 */
export async function* untilSilent<T>(
  messages: AsyncIterable<T>,
  ms: number,
  isThere?: () => Promise<unknown>,
): AsyncGenerator<T, void> {
  const iterator = messages[Symbol.asyncIterator]();
  let fail: ((error: Error) => void) | undefined;
  let quietLooks = 0;
  const ask = (): void => {
    isThere?.().then(
      () => (quietLooks = 0),
      () => {},
    );
  };
  const timer = setInterval(() => {
    if (fail === undefined) quietLooks = 0;
    else if (++quietLooks >= LOOKS) fail(new ServerSilent(ms));
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
      quietLooks = 0;
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
