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
  return projector.handles(fact.type) ? applyFact(projector, fact, rows, onBadFact) : undefined;
}

/** Applies a fact that the projector handles. */
function applyFact(
  projector: Projector,
  fact: RecordedFact,
  rows: BatchRows,
  onBadFact: OnBadFact,
): Promise<void> | undefined {
  rows.begin();
  const refuse = (error: unknown): void => {
    rows.undo();
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

/** One projector's way through a batch of facts. */
export interface Work {
  readonly projector: Projector;
  readonly rows: BatchRows;
  readonly onBadFact: OnBadFact;
  /** Set once it goes on by itself: settles when it is through. */
  pending: Promise<void> | undefined;
}

/**
 * Applies facts to the rows of many projectors, each fact to all that handle it: what one parsed is there for the next, and dies
 * young (docs/performance.md). One that has to read what is not at hand goes on by itself, and nobody waits for it. Where the event
 * loop needs a break, all go on by themselves from there, unless they are to stay together (`isTogether`): then a promise of the end of
 * that is answered.
 */
export function projectSideBySide(
  works: readonly Work[],
  facts: readonly RecordedFact[],
  turn: Turn,
  isTogether: boolean,
): void | Promise<void> {
  return new SideBySide(works, facts, turn).run(0, isTogether);
}

class SideBySide {
  /** The works that handle a type of fact. */
  readonly #handling = new Map<string, readonly Work[]>();

  constructor(
    private readonly works: readonly Work[],
    private readonly facts: readonly RecordedFact[],
    private readonly turn: Turn,
  ) {}

  run(from: number, isTogether: boolean): void | Promise<void> {
    const { facts, turn } = this;
    for (let i = from; i < facts.length; i++) {
      const fact = facts[i]!;
      for (const work of this.#worksOn(fact.type)) if (work.pending === undefined) this.#project(work, fact, i);
      if (!turn.isOver() || i + 1 === facts.length) continue;
      const passed = turn.pass();
      if (isTogether) return passed.then(() => this.run(i + 1, isTogether));
      for (const work of this.works) if (work.pending === undefined) this.#letGo(work, i, passed);
      return undefined;
    }
    return undefined;
  }

  #worksOn(type: string): readonly Work[] {
    let works = this.#handling.get(type);
    if (works === undefined) {
      works = this.works.filter(({ projector }) => projector.handles(type));
      this.#handling.set(type, works);
    }
    return works;
  }

  #project(work: Work, fact: RecordedFact, i: number): void {
    try {
      const pending = applyFact(work.projector, fact, work.rows, work.onBadFact);
      if (pending !== undefined) this.#letGo(work, i, pending);
    } catch (error) {
      setPending(work, Promise.reject(error));
    }
  }

  /** Lets one go on by itself behind a fact, after something. */
  #letGo(work: Work, i: number, after: Promise<void>): void {
    const { projector, rows, onBadFact } = work;
    const rest = this.facts.slice(i + 1);
    setPending(
      work,
      after.then(() => projectInTurns(projector, rest, rows, onBadFact, this.turn)),
    );
  }
}

/** Who waits for it may come later: until then a failure is nobody's. */
function setPending(work: Work, pending: Promise<void>): void {
  pending.catch(() => {});
  work.pending = pending;
}
