/**
 * What a promise answers, or undefined where it does not within so many milliseconds. Throws what it throws, and before that the reason
 * of the signal. What was begun goes on.
 */
export async function inTime<T>(promise: Promise<T>, withinMs: number, signal?: AbortSignal): Promise<T | undefined> {
  signal?.throwIfAborted();
  let end = (): void => {};
  const ended = new Promise<undefined>((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), withinMs);
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
  });
  try {
    return await Promise.race([promise, ended]);
  } finally {
    end();
  }
}
