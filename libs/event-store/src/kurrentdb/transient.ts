import { setTimeout as delay } from 'node:timers/promises';
import { doublingPause } from '#kernel/doubling-pause';
import { messageOf } from '#kernel/message-of';
import { EventStoreUnavailable } from '../event-store-errors.js';

/** Kinds of errors of the client that may be gone the next time (its `ErrorType`). */
const TRANSIENT = new Set(['timeout', 'deadline-exceeded', 'unavailable', 'cancelled', 'unknown', 'not-leader']);

/**
 * The library has no kind of its own for having found no node that it likes, nor for a call that was under way to a client
 * when that was thrown away (`renewable-client.ts`): its own search for a node may take that long.
 */
const NO_CONNECTION = /^Failed to discover after \d+ attempts|^Channel has been shut down/;

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/** The kind of an error of the client, as its `ErrorType` names it. */
export function errorKind(error: unknown): string | undefined {
  const kind = error instanceof Error ? (error as { type?: unknown }).type : undefined;
  return typeof kind === 'string' ? kind : undefined;
}

/** Whether trying again may help. Errors of our own code never count. */
export function isTransient(error: unknown): boolean {
  const kind = errorKind(error);
  if (kind !== undefined) return TRANSIENT.has(kind);
  if (error instanceof Error && NO_CONNECTION.test(error.message)) return true;
  // The gRPC library's own errors carry a numeric code.
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'number';
}

/** Endures failures, for as long as nothing has gone well. */
export class Patience {
  #failures = 0;
  #since = performance.now();

  constructor(
    readonly limitMs: number,
    readonly signal: AbortSignal,
  ) {}

  /** How many tries have failed in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** What is left of it in milliseconds: the next try should not take longer. At least a moment. */
  get leftMs(): number {
    return Math.max(this.limitMs - (performance.now() - this.#since), FIRST_PAUSE_MS);
  }

  /** Tells that it went well: the next failure is the first again. */
  renew(): void {
    this.#failures = 0;
    this.#since = performance.now();
  }

  /**
   * Waits before the next try. Throws the error when trying again cannot help, and EventStoreUnavailable when it has not
   * helped for too long.
   */
  async endure(error: unknown): Promise<void> {
    if (!isTransient(error) || this.signal.aborted) throw error;
    await this.pause();
    if (performance.now() - this.#since >= this.limitMs)
      throw new EventStoreUnavailable(wordsOf(error), { cause: error });
  }

  /** Waits longer each time, with some chance in it so that not all come back at once. Ends early when it is aborted. */
  async pause(): Promise<void> {
    const longest = doublingPause(++this.#failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    const wait = Math.min(longest * (0.5 + Math.random() / 2), this.leftMs);
    await delay(wait, undefined, { signal: this.signal }).catch(() => {});
  }
}

/** What a failure is called in a line for people. */
export function wordsOf(error: unknown): string {
  const kind = errorKind(error);
  const message = messageOf(error);
  const isName = kind === undefined || message === '' || /^\w*Error$/.test(message.replace(/^\w+: /, ''));
  return isName ? (kind ?? message) : message;
}
