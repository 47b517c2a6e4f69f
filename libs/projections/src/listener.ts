import type { RecordedFact } from '#event-store/event-store';

/**
 * Wakes long polls and forgets what this process remembers. Every process has its own, and what it hears may be lost: it hears
 * only of what was appended while it was running, and nothing else may depend on it. What must happen is an Effect.
 */
export interface Listener {
  readonly name: string;
  /** The collections it reads, or that those read whom it wakes: it is told of a fact once these have it. */
  readonly reads: readonly string[];
  /** Called in order. Must not throw. */
  hear(facts: readonly RecordedFact[]): void;
}
