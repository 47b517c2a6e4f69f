import type { RecordedFact } from '#event-store/event-store';
import type { BatchRows } from './batch-rows.js';
import type { Projector } from './projector.js';
import { Turn } from './turn.js';

/** Told of a fact the projector threw on; its writes for that fact are gone. Throws to stop there. */
export type OnBadFact = (fact: RecordedFact, error: unknown) => void;

/**
 * Applies facts to a projector's rows, one after another, those it handles. Throws what
 * the store throws where it cannot be read. PERF: answers a promise only where the projector
 * did or where the event loop needs a break: a promise per fact and projector would cost more than the projecting.
 */
export function projectFacts(
  projector: Projector,
  facts: readonly RecordedFact[],
  rows: BatchRows,
  onBadFact: OnBadFact,
  turn: Turn,
): void | Promise<void> {
  for (let i = 0; i < facts.length; i++) {
    const pending = projectOne(projector, facts[i]!, rows, onBadFact);
    if (pending === undefined && !turn.isOver()) continue;
    const rest = facts.slice(i + 1);
    return (pending ?? turn.pass()).then(() => projectInTurns(projector, rest, rows, onBadFact, turn));
  }
}

async function projectInTurns(
  projector: Projector,
  facts: readonly RecordedFact[],
  rows: BatchRows,
  onBadFact: OnBadFact,
  turn: Turn,
): Promise<void> {
  for (const fact of facts) {
    if (rows.isAbandoned) return;
    const pending = projectOne(projector, fact, rows, onBadFact);
    if (pending !== undefined) await pending;
    if (turn.isOver()) await turn.pass();
  }
}

function projectOne(
  projector: Projector,
  fact: RecordedFact,
  rows: BatchRows,
  onBadFact: OnBadFact,
): Promise<void> | undefined {
  if (!projector.handles(fact.type)) return undefined;
  const before = rows.writes.length;
  const refuse = (error: unknown): void => {
    rows.truncate(before);
    if (rows.failure !== undefined) throw rows.failure;
    onBadFact(fact, error);
  };
  try {
    const pending = projector.project(fact, rows);
    return pending === undefined ? undefined : pending.catch(refuse);
  } catch (error) {
    refuse(error);
    return undefined;
  }
}
