import { positionNumber, type Position } from '#kernel/position';
import type { Clock } from '#kernel/clock';
import type { MeteredEventStore } from './metered-event-store.js';
import type { ProjectionStatus } from './metrics.js';

export interface HealthReport {
  readonly ok: boolean;
  readonly log: { readonly head: string | null; readonly error?: string };
  readonly position: string;
  readonly projections: readonly (ProjectionStatus & { readonly lag: number | null })[];
}

/** What the report is made of, named after the caller. */
export interface HealthSources {
  readonly store: Pick<MeteredEventStore, 'head' | 'failedAt'>;
  readonly clock: Clock;
  /** The position that every serving projector has passed. */
  position(): Position;
  projections(): readonly ProjectionStatus[];
}

/** How long a failed append counts, where no other has been tried: without traffic, nothing else would tell of recovery. */
const FAILURE_COUNTS_MS = 30_000;
const HEAD_TIMEOUT_MS = 2000;

/** Looks whether the server can do its work: not when the log cannot be read or appended to, or a projector has failed. */
export async function checkHealth(sources: HealthSources): Promise<HealthReport> {
  const head = await headOf(sources);
  const position = sources.position();
  const projections = sources.projections().map((one) => ({
    ...one,
    lag: typeof head === 'string' ? Math.max(0, positionNumber(head) - Number(one.position)) : null,
  }));
  const failed = projections.some((one) => one.state === 'failed');
  const { failedAt } = sources.store;
  const appendFails = failedAt !== undefined && sources.clock.now() - failedAt < FAILURE_COUNTS_MS;
  const error = head instanceof Error ? head.message : appendFails ? 'the last append failed' : undefined;
  return {
    ok: error === undefined && !failed,
    log: { head: typeof head === 'string' ? head : null, error },
    position,
    projections,
  };
}

async function headOf(sources: HealthSources): Promise<Position | Error> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error('the log does not answer')), HEAD_TIMEOUT_MS);
  });
  const head = sources.store.head().catch(() => new Error('the log cannot be read'));
  return Promise.race([head, late]).finally(() => clearTimeout(timer));
}
