import type { Position } from '#kernel/position';
import type { ReadModelStore } from '#read-models/read-model-store';
import { recordWrite } from './projection-records.js';
import type { ProjectionRecord } from './projection.js';

/** Records of projectors that today's code lacks: what was live stands still from now on. */
export async function keepOrphans(
  readModels: Pick<ReadModelStore, 'write'>,
  records: ReadonlyMap<string, ProjectionRecord>,
  known: ReadonlyMap<string, unknown>,
  checkpoint: Position,
): Promise<void> {
  const standStill = <T extends { readonly at: string }>(each: T): T =>
    each.at === 'live' ? { ...each, at: checkpoint } : each;
  for (const [name, record] of records) {
    if (known.has(name)) continue;
    const { serving, next } = record;
    const kept = {
      ...record,
      serving: standStill(serving),
      next: next && { ...standStill(next), state: 'cancelled' as const },
    };
    await readModels.write([recordWrite(name, kept)]);
  }
}
