import { setTimeout as delay } from 'node:timers/promises';
import type { Comparison } from '#projections/compare-generations';
import type { ProjectionStatus } from '#projections/projection-status';
import type { ProjectionsToRead } from './remote-projections.js';

/** What became of a rebuild. */
export type RebuildOutcome =
  /** The new generation serves. `comparison`: with what it replaced; undefined where that was of another version. */
  | { readonly kind: 'serves'; readonly status: ProjectionStatus; readonly comparison: Comparison | undefined }
  /** It is filled and waits for `switch`. */
  | { readonly kind: 'ready'; readonly status: ProjectionStatus }
  | { readonly kind: 'ended'; readonly status: ProjectionStatus; readonly reason: string };

const LOOK_EVERY_MS = 200;
/** A comparison begins right after the switch: one that has not by then will not come. */
const COMPARISON_BEGINS_MS = 5000;

/** Waits for the end of the rebuild of one projection, and of the comparison behind it. Rejects when the signal aborts. */
export async function waitForRebuild(
  projections: ProjectionsToRead,
  name: string,
  onStatus: (status: ProjectionStatus) => void,
  signal: AbortSignal,
): Promise<RebuildOutcome> {
  let servesSince: number | undefined;
  for (;;) {
    const status = await projections.status(name);
    onStatus(status);
    const { next } = status;
    if (next?.state === 'ready') return { kind: 'ready', status };
    if (next?.state === 'failed') return ended(status, status.lastError ?? 'it failed');
    if (next?.state === 'cancelled') return ended(status, 'it was cancelled');
    if (status.paused !== undefined) return ended(status, `it was paused: ${status.paused.reason}`);
    if (next === undefined) {
      servesSince ??= performance.now();
      const isLate = performance.now() - servesSince > COMPARISON_BEGINS_MS && !status.isComparing;
      const comparison = comparisonOf(status);
      if (comparison !== undefined || isLate || !isToBeCompared(status)) return { kind: 'serves', status, comparison };
    }
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

function ended(status: ProjectionStatus, reason: string): RebuildOutcome {
  return { kind: 'ended', status, reason };
}

function comparisonOf({ comparison, serving }: ProjectionStatus): Comparison | undefined {
  return comparison?.generation === serving.generation ? comparison : undefined;
}

function isToBeCompared({ serving, previous }: ProjectionStatus): boolean {
  return previous !== undefined && previous.version === serving.version;
}
