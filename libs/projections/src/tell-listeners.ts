import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import type { Listener } from './listener.js';
import type { ProjectionLog } from './runtime-parts.js';

/** Tells listeners of facts that come after a position. One that throws stops nobody. */
export function tellListeners(
  listeners: readonly Listener[],
  facts: readonly RecordedFact[],
  after: Position,
  log: ProjectionLog,
): void {
  if (listeners.length === 0 || facts.length === 0) return;
  const fresh = facts[0]!.position > after ? facts : facts.filter((fact) => fact.position > after);
  if (fresh.length === 0) return;
  for (const listener of listeners) {
    try {
      listener.hear(fresh);
    } catch (error) {
      log.error(`The listener ${listener.name} threw: ${String(error)}`);
    }
  }
}
