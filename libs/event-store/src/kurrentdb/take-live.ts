import type { AllStreamSubscription, ResolvedEvent } from '@kurrent/kurrentdb-client';

/** How often a subscriber that waits asks whether it should have heard of something. */
export const LIVE_LOOK_MS = 500;

export interface LiveOptions {
  readonly signal: AbortSignal;
  /** The most events at once. */
  readonly size: number;
  /**
   * Asked while all is taken and nothing comes, with for how long nothing has: the error that the subscription ends with, if
   * it has to.
   */
  readonly findFault: (waitedMs: number) => Error | undefined;
}

/**
 * The events of a subscription, as many at once as have arrived but at most `size`, until the server ends it or the signal
 * aborts. Throws what the server dropped it for, after all that came before. Cancels the subscription in any case.
 */
export async function* takeLive(
  subscription: AllStreamSubscription,
  { signal, size, findFault }: LiveOptions,
): AsyncIterable<ResolvedEvent[]> {
  let failure: unknown;
  let ended = false;
  let wake: (() => void) | undefined;
  const end = (error?: unknown) => {
    failure ??= error;
    ended = true;
    wake?.();
  };
  const onAbort = () => wake?.();
  // An iterator of the stream itself would hang when it is cancelled: the client swallows that error.
  subscription.on('readable', () => wake?.());
  // Listens to the end: an error after it is no error of ours.
  subscription
    .on('error', end)
    .on('end', () => end())
    .on('close', () => end());
  signal.addEventListener('abort', onAbort);
  let waitedSince: number | undefined;
  const look = setInterval(() => {
    if (waitedSince === undefined || subscription.readableLength > 0) return;
    const fault = findFault(performance.now() - waitedSince);
    if (fault !== undefined) end(fault);
  }, LIVE_LOOK_MS);
  try {
    while (!signal.aborted) {
      const events = takeReady(subscription, size);
      if (events.length > 0) {
        waitedSince = undefined;
        yield events;
        continue;
      }
      if (failure !== undefined) throw failure as Error;
      if (ended) return;
      waitedSince ??= performance.now();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    clearInterval(look);
    signal.removeEventListener('abort', onAbort);
    // The call may never have come about; then there is nothing to cancel.
    subscription.unsubscribe().catch(() => {});
    subscription.destroy();
  }
}

function takeReady(subscription: AllStreamSubscription, size: number): ResolvedEvent[] {
  const events: ResolvedEvent[] = [];
  while (events.length < size) {
    const event = subscription.read() as ResolvedEvent | null;
    if (event === null) break;
    events.push(event);
  }
  return events;
}
