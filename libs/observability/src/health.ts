import type { Stopwatch } from '#kernel/clock';
import type { Distance } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import type { ProjectionState, ProjectionStatus } from '#projections/projection-status';
import type { MeteredEventStore } from './metered-event-store.js';

/** Injection token of the HealthSources. */
export const HEALTH = Symbol.for('annals.Health');

export interface ProjectionHealth {
  readonly name: string;
  readonly version: number;
  readonly state: ProjectionState;
  readonly position: Position;
  /** What lies between it and the head of the log: facts, or bytes of a server's log. */
  readonly lag: number;
  readonly lagUnit: Distance['unit'];
  readonly deadLetters: number;
}

export interface HealthReport {
  readonly ok: boolean;
  /** What is wrong, for people. */
  readonly errors: readonly string[];
  /** What somebody should know though the server does its work. */
  readonly warnings: readonly string[];
  readonly log: { readonly head: Position | null };
  /** The position that every serving projector has passed. */
  readonly position: Position;
  readonly projections: readonly ProjectionHealth[];
}

/** What the report is made of, named after the caller. */
export interface HealthSources {
  readonly store: Pick<MeteredEventStore, 'head' | 'failedAt' | 'damage'>;
  readonly projections: {
    position(): Position;
    readonly operations: { list(): Promise<readonly ProjectionStatus[]> };
    /** Who of those that follow the log cannot go on, and why. */
    failures(): readonly string[];
  };
  /** The views, as far as they can be kept. */
  readonly readModels?: { readonly failure?: Error | undefined; readonly warning?: string | undefined };
  readonly clock?: { readonly warning?: string | undefined };
  readonly stopwatch: Stopwatch;
}

/** How long a failed append counts, where no other has been tried: without traffic, nothing else would tell of recovery. */
const FAILURE_COUNTS_MS = 30_000;
const TIMEOUT_MS = 2000;

/** Looks whether the server can do its work: not when the log cannot be read or appended to or is damaged, or where somebody who follows it cannot go on. */
export async function checkHealth({
  store,
  projections,
  readModels,
  clock,
  stopwatch,
}: HealthSources): Promise<HealthReport> {
  const errors: string[] = [];
  const looked = await withinTime(Promise.all([store.head(), projections.operations.list()]));
  if (looked instanceof Error) errors.push(`the log cannot be read: ${looked.message}`);
  if (store.failedAt !== undefined && stopwatch.elapsed() - store.failedAt < FAILURE_COUNTS_MS)
    errors.push('the last append to the log failed');
  if (store.damage !== undefined) errors.push(`${store.damage.message}: run "annals verify"`);
  if (readModels?.failure !== undefined) errors.push(readModels.failure.message);
  errors.push(...projections.failures());
  const [head, statuses] = looked instanceof Error ? [null, []] : looked;
  const healths = statuses.map(healthOf);
  for (const { name, state } of healths) if (state === 'failed') errors.push(`the projection ${name} has failed`);
  const warnings = [readModels?.warning, clock?.warning].filter((warning) => warning !== undefined);
  return {
    ok: errors.length === 0,
    errors,
    warnings,
    log: { head },
    position: projections.position(),
    projections: healths,
  };
}

function healthOf({ name, version, state, position, behind, deadLetters }: ProjectionStatus): ProjectionHealth {
  return { name, version, state, position, lag: behind.amount, lagUnit: behind.unit, deadLetters };
}

async function withinTime<T>(work: Promise<T>): Promise<T | Error> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error('no answer')), TIMEOUT_MS);
  });
  const settled = work.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  return Promise.race([settled, late]).finally(() => clearTimeout(timer));
}
