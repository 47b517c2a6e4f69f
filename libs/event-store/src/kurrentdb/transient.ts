import { setTimeout as delay } from 'node:timers/promises';

/** Kinds of errors of the client that may be gone the next time (its `ErrorType`). */
const TRANSIENT = new Set(['timeout', 'deadline-exceeded', 'unavailable', 'cancelled', 'unknown', 'not-leader']);

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;

/** The kind of an error of the client, as its `ErrorType` names it. */
export function errorKind(error: unknown): string | undefined {
  const kind = error instanceof Error ? (error as { type?: unknown }).type : undefined;
  return typeof kind === 'string' ? kind : undefined;
}

/** Whether trying again may help. Errors of our own code never count. */
export function isTransient(error: unknown): boolean {
  const kind = errorKind(error);
  if (kind !== undefined) return TRANSIENT.has(kind);
  // The gRPC library's own errors carry a numeric code.
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'number';
}

/** Endures failures in a row, for a while. */
export class Patience {
  #failures = 0;
  #since = 0;

  constructor(
    readonly limitMs: number,
    readonly signal: AbortSignal,
  ) {}

  /** Tells that it went well: the next failure is the first again. */
  renew(): void {
    this.#failures = 0;
  }

  /** Waits before the next try; throws the error when trying again cannot help, or has not helped for too long. */
  async endure(error: unknown): Promise<void> {
    if (!isTransient(error) || this.signal.aborted) throw error;
    if (this.#failures > 0 && Date.now() - this.#since > this.limitMs) throw error;
    await this.pause();
  }

  /** Waits longer each time, with some chance in it so that not all come back at once. Ends early when it is aborted. */
  async pause(): Promise<void> {
    if (this.#failures === 0) this.#since = Date.now();
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    await delay(longest * (0.5 + Math.random() / 2), undefined, { signal: this.signal }).catch(() => {});
  }
}
