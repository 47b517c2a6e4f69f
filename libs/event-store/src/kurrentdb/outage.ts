/** Readings and appends are lost and come back apart: they go through clients of their own, perhaps to different nodes. */
export type Way = 'append' | 'read';

export interface OutageWatch {
  readonly onLost?: (reason: string) => void;
  readonly onBack?: (lostMs: number) => void;
}

/** Whether the server answers: told once when it is lost in either way, and once when it answers in both again. */
export class Outage {
  readonly #lost = new Set<Way>();
  #since = 0;

  constructor(private readonly watch: OutageWatch) {}

  isLost(way: Way): boolean {
    return this.#lost.has(way);
  }

  noteLoss(way: Way, reason: string): void {
    if (this.#lost.size === 0) {
      this.#since = performance.now();
      this.watch.onLost?.(reason);
    }
    this.#lost.add(way);
  }

  noteSuccess(way: Way): void {
    if (!this.#lost.delete(way) || this.#lost.size > 0) return;
    this.watch.onBack?.(Math.round(performance.now() - this.#since));
  }
}
