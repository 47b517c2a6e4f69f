/** How slowly something may be taken: after a while, so many bytes a second on average. What it takes to make it is no matter. */
export interface Pace {
  readonly bytesPerSecond: number;
  readonly afterMs: number;
}

/** Every connection by which anybody would have it is faster. */
const SLOWEST: Pace = Object.freeze({ bytesPerSecond: 8 * 1024, afterMs: 60_000 });

/**
 * The pieces as they are asked for. `onSlow` is called once whoever asks has let them wait for longer than the pace allows for what was taken so
 * far: nobody may be there any more, or keeps what others want.
 */
export async function* inTime(
  pieces: AsyncIterable<Uint8Array>,
  onSlow: () => void,
  { bytesPerSecond, afterMs }: Pace = SLOWEST,
): AsyncGenerator<Uint8Array, void> {
  let [bytes, waitedMs] = [0, 0];
  for await (const piece of pieces) {
    bytes += piece.length;
    const begun = performance.now();
    const leftMs = afterMs + (bytes / bytesPerSecond) * 1000 - waitedMs;
    const timer = setTimeout(onSlow, Math.max(0, leftMs)).unref();
    try {
      yield piece;
    } finally {
      clearTimeout(timer);
    }
    waitedMs += performance.now() - begun;
  }
}
