import { MatrixError } from './matrix-error.js';

/** A store of ours cannot be used for now. What follows from a fact waits until it can, however long that takes. */
export class StoreAway extends MatrixError {}

const OF_DISKS: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'ESTALE', 'ENODEV', 'ENOTCONN']);

/** Whether an error says that a disk is full, not to be written to, broken or away, and nothing of what was asked of it. */
export function isOfDisk(error: unknown): error is NodeJS.ErrnoException {
  return OF_DISKS.has((error as NodeJS.ErrnoException).code);
}

/** Who hears that a store is lost: it cannot be reached, or cannot keep what it is given, for now; and that it is back. */
export interface OutageWatch {
  readonly onLost?: (reason: string) => void;
  readonly onBack?: (lostMs: number) => void;
}

/**
 * Whether a store answers, in each of the ways that are lost and come back apart: told once when it is lost in any of them, and
 * once when it answers in all again.
 */
export class Outage<W extends string> {
  readonly #lost = new Map<W, string>();
  #since = 0;

  constructor(private readonly watch: OutageWatch) {}

  isLost(way: W): boolean {
    return this.#lost.has(way);
  }

  /** Why it is lost, as said by the way that was lost first; undefined where it is not. */
  get reason(): string | undefined {
    return this.#lost.values().next().value;
  }

  /** For how long it has been lost, in milliseconds; 0 where it is not. */
  get lostMs(): number {
    return this.#lost.size === 0 ? 0 : performance.now() - this.#since;
  }

  noteLoss(way: W, reason: string): void {
    const isFirst = this.#lost.size === 0;
    this.#lost.set(way, reason);
    if (!isFirst) return;
    this.#since = performance.now();
    this.watch.onLost?.(reason);
  }

  noteSuccess(way: W): void {
    if (!this.#lost.delete(way) || this.#lost.size > 0) return;
    this.watch.onBack?.(Math.round(performance.now() - this.#since));
  }
}
