import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import type { Write } from '#read-models/read-model-store';
import { BatchRows } from './batch-rows.js';
import { noteTouched } from './compare-generations.js';
import { deadLetterOf, deadLetterWrite, type DeadLetter } from './dead-letters.js';
import type { Generation } from './generation.js';
import type { LiveLoop } from './live-loop.js';
import { projectFacts, type OnBadFact } from './project-facts.js';
import { markOf } from './projection-records.js';
import { describeBadFact, type Projection } from './projection.js';
import { readAhead } from './read-ahead.js';
import { BATCH_FACTS, type RuntimeParts } from './runtime-parts.js';
import { Turn } from './turn.js';

/** A rebuild met a fact that its projector cannot take. */
export class RebuildStopped extends Error {
  constructor(
    readonly fact: RecordedFact,
    cause: unknown,
  ) {
    super(`stopped at ${describeBadFact(fact, cause)}`, { cause });
    this.name = 'RebuildStopped';
  }
}

/** What goes on from where it stood still came by a fact that the log may have said more of, which it has missed. */
export class StoodStill extends Error {
  constructor() {
    super('the log has forgotten what would take rows of it away');
    this.name = 'StoodStill';
  }
}

/**
 * Writes rows and, with them, the projection's record. `change` is made just before and answers how to undo it, which is
 * done where the store refuses. While it cannot be reached nobody knows what it has: the same is written again until it has it.
 */
export type Persist = (projection: Projection, change?: () => () => void, rows?: readonly Write[]) => Promise<void>;

export interface Filling {
  readonly parts: RuntimeParts;
  readonly live: LiveLoop;
  readonly projection: Projection;
  readonly generation: Generation;
  readonly signal: AbortSignal;
  /** Facts per second at most; undefined: as fast as it goes. */
  readonly throttle: number | undefined;
  readonly persist: Persist;
  readonly onDeadLetter: (letter: DeadLetter) => void;
  /** What is changed in the moment when the generation stands where the live ones stand. Runs within `exclusively`. */
  readonly onJoined: () => Promise<void>;
}

/** When one reading of the log ends with no more facts than these, and as soon, the rest is done while the live ones wait. */
const SHORT_GAP = 500;
const SHORT_MS = 50;
/** One that has kept the live ones waiting follows the log by itself for so long at least. */
const APART_MS = 30_000;

/**
 * Fills a generation from where it is to where the live ones are, and lets it move with them from then on. A generation that
 * serves notes a bad fact as a dead letter and goes on; one that is rebuilt throws RebuildStopped, and one that cannot go on from where it stood still StoodStill. Ends early, and where it
 * got to is kept, when the signal says so.
 */
export async function fillGeneration(filling: Filling): Promise<void> {
  const { parts, live, generation, signal } = filling;
  while (!signal.aborted) {
    let passed = 0;
    let tookMs = 0;
    for await (const facts of readAhead(
      parts.store.readAll({ after: positionOf(generation), batchSize: BATCH_FACTS }),
    )) {
      if (signal.aborted) return;
      const started = performance.now();
      await passFacts(filling, facts);
      passed += facts.length;
      tookMs += performance.now() - started;
      await holdBack(filling, facts.length, performance.now() - started);
    }
    if (passed > SHORT_GAP || tookMs > SHORT_MS) continue;
    const at = positionOf(generation);
    if (performance.now() - generation.lateAt < APART_MS) {
      await unlessAborted(
        live.progress.until(() => live.position > at),
        signal,
      );
      continue;
    }
    await unlessAborted(live.progress.whenProcessed(at), signal);
    if (await live.exclusively(() => join(filling))) return;
  }
}

/** Closes the gap to the live ones, which stand still meanwhile. */
async function join(filling: Filling): Promise<boolean> {
  const { parts, live, generation, signal, projection } = filling;
  const { position } = live;
  if (signal.aborted) return true;
  if (positionOf(generation) > position) return false;
  if (positionOf(generation) < position) {
    for await (const facts of parts.store.readAll({ after: positionOf(generation), batchSize: BATCH_FACTS })) {
      const before = facts.filter((fact) => fact.position <= position);
      if (before.length > 0) await passFacts(filling, before);
      if (before.length < facts.length) break;
    }
  }
  live.members.set(generation, projection.projector);
  try {
    await filling.onJoined();
    return true;
  } catch (error) {
    live.members.delete(generation);
    throw error;
  }
}

async function passFacts(filling: Filling, facts: readonly RecordedFact[]): Promise<void> {
  const { parts, projection, generation } = filling;
  const { isForgotten } = projection.projector;
  if (generation.hasStoodStill === true && isForgotten !== undefined && facts.some(({ type }) => isForgotten(type)))
    throw new StoodStill();
  const rows = new BatchRows(parts.readModels, generation.physical);
  const letters: DeadLetter[] = [];
  const onBadFact: OnBadFact = (fact, error) => {
    if (generation !== projection.serving) throw new RebuildStopped(fact, error);
    letters.push(deadLetterOf(generation, fact, error, parts.clock.now()));
  };
  await projectFacts(projection.projector, facts, rows, onBadFact, new Turn());
  noteTouched(generation, rows.writes);
  const writes = [...rows.writes, ...letters.map(deadLetterWrite)];
  const change = (): (() => void) => {
    const { at, facts: count, mark, hasGone } = generation;
    const last = facts.at(-1)!;
    Object.assign(generation, { at: last.position, facts: count + facts.length, mark: markOf(last) });
    const { showsGone } = projection.projector;
    if (showsGone !== undefined && facts.some(showsGone)) generation.hasGone = true;
    return () => Object.assign(generation, { at, facts: count, mark, hasGone });
  };
  await filling.persist(projection, change, writes);
  filling.live.progress.settle();
  for (const letter of letters) filling.onDeadLetter(letter);
  projection.meter.add(facts.length);
}

async function holdBack({ throttle, signal }: Filling, facts: number, tookMs: number): Promise<void> {
  const pauseMs = throttle === undefined ? 0 : (facts / throttle) * 1000 - tookMs;
  if (pauseMs > 0) await delay(pauseMs, undefined, { signal }).catch(() => {});
  else await nextTurn(); // a store in memory would otherwise never let requests through
}

/** The position of a generation that is not live. */
function positionOf(generation: Generation): Position {
  if (generation.at === 'live') throw new Error(`${generation.owner} is live already`);
  return generation.at;
}

/** Settles with the work or with the signal, whichever comes first. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const abort = new Promise<void>((resolve) => {
    if (signal.aborted) return resolve();
    const stop = (): void => resolve();
    signal.addEventListener('abort', stop, { once: true });
    const forget = (): void => signal.removeEventListener('abort', stop);
    work.then(forget, forget);
  });
  await Promise.race([work, abort]);
}
