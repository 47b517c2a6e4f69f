export interface WaitOptions {
  readonly waitMs: number;
  /** Without it nobody hears what is waited for: then a host that is unknown is not waited for at all. */
  readonly onWaiting?: (reason: string) => void;
}

/** Why a server does not answer. */
export interface Silence {
  /** In one line, without a secret. */
  readonly reason: string;
  /** Whether it may be gone by itself: soon, if at all, where it is the name of a container that comes with the container. */
  readonly mayPass: 'never' | 'soon' | 'any time';
  /** What to throw when it is no longer waited for. */
  readonly error: Error;
}

const PAUSE_MS = 500;
/** How often it is said that the server is still waited for. */
const SAY_MS = 30_000;
/** For how long the name of a server that starts beside this one may be unknown. */
const SOON_MS = 20_000;

/**
 * Tries until a server answers, and says what it waits for: at once, when that changes, and every half minute. `judge` tells
 * why a try failed, or throws what is no silence of the server at all.
 */
export async function waitForServer<T>(
  probe: () => Promise<T>,
  judge: (error: unknown) => Silence | Promise<Silence>,
  { waitMs, onWaiting }: WaitOptions,
): Promise<T> {
  const began = performance.now();
  const soonMs = onWaiting === undefined ? 0 : SOON_MS;
  const patienceMs = { never: 0, soon: Math.min(waitMs, soonMs), 'any time': waitMs };
  let said: { readonly at: number; readonly mayPass: Silence['mayPass'] } | undefined;
  for (;;) {
    try {
      return await probe();
    } catch (failure) {
      const { reason, mayPass, error } = await judge(failure);
      const now = performance.now();
      if (now - began >= patienceMs[mayPass]) throw error;
      if (said === undefined || said.mayPass !== mayPass || now - said.at >= SAY_MS) {
        said = { at: now, mayPass };
        onWaiting?.(reason);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(PAUSE_MS, waitMs)));
    }
  }
}
