import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';

/**
 * Wakes long polls and forgets what this process remembers. Every process has its own, and what it hears may be lost: it hears
 * only of what was appended while it was running (but for `hearsPast`), and nothing else may depend on it. What must happen is an Effect.
 */
export interface Listener {
  readonly name: string;
  /** The collections it reads, or that those read whom it wakes: it is told of a fact once these have it. */
  readonly reads: readonly string[];
  /**
   * Whether it hears also of what the views come by at the start: what was appended since they were written last, or since the older copy of them that was put back. For what
   * is kept beside the views, and nothing fills anew.
   */
  readonly hearsPast?: true;
  /** Called before all else: it hears of what comes after this position, and of nothing before. */
  begin?(after: Position): void;
  /** Called in order. Must not throw. */
  hear(facts: readonly RecordedFact[]): void;
}
