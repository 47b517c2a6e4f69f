import { START, type Position } from '#kernel/position';
import type { Forgotten } from './forgotten-marks.js';
import { Generation, type GenerationRecord } from './generation.js';
import type { ProjectionRecord } from './projection.js';
import type { StoredState } from './projection-records.js';
import type { Projector } from './projector.js';

export interface BegunAnew {
  readonly record: ProjectionRecord;
  /** What nothing refers to any more. */
  readonly left: readonly Generation[];
}

export interface BehindAnew {
  /** All that there are, with those that begin anew. */
  readonly records: ReadonlyMap<string, ProjectionRecord>;
  readonly left: readonly Generation[];
  /** What they are called that begin anew. */
  readonly anew: readonly string[];
}

/** Why that is, in words that follow the name of a projection. */
export const WHY_ANEW = 'the log has forgotten since what would take rows of it away';

/** What lacks something that the log has forgotten begins anew, unless it began after that. */
export function beginBehindAnew(
  projectors: readonly Projector[],
  { records: stored, begun, checkpoint }: Pick<StoredState, 'records' | 'begun' | 'checkpoint'>,
  { upTo, last }: Forgotten,
): BehindAnew {
  const records = new Map(stored);
  const left: Generation[] = [];
  const anew: string[] = [];
  for (const projector of projectors) {
    const { name } = projector;
    const record = stored.get(name);
    if (record === undefined || begun.get(name) === last) continue;
    const again = beginAnew(projector, record, checkpoint?.position ?? START, upTo.get(name));
    if (again === undefined) continue;
    records.set(name, again.record);
    left.push(...again.left);
    anew.push(name);
  }
  return { records, left, anew };
}

/**
 * A record in which what stands behind `upTo` begins anew, up to where the log has forgotten what would take rows of it away: it never stands there where it went on with
 * the log (`Views.whenKept`), so it was put back from an older copy; or it is a rebuild that was not done at the last stop, which looks alike. Undefined where nothing is behind. What waits
 * for a command is seen to when it goes on (`Projector.isForgotten`).
 */
export function beginAnew(
  { name, version, collections }: Projector,
  record: ProjectionRecord,
  checkpoint: Position,
  upTo: Position = START,
): BegunAnew | undefined {
  const isBehind = ({ at }: GenerationRecord): boolean => {
    const position = at === 'live' ? checkpoint : at;
    return position !== START && position < upTo;
  };
  const { serving, previous, next, ...others } = record;
  const generation = record.lastGeneration + 1;
  const empty: GenerationRecord = { version, generation, collections, at: START, facts: 0 };
  const restored = (each: GenerationRecord): Generation => Generation.restore(name, each);
  if (isBehind(serving)) {
    const left = [serving, previous, next].filter((each) => each !== undefined).map(restored);
    return { record: { lastGeneration: generation, serving: empty }, left };
  }
  if (next === undefined || next.state === 'cancelled' || next.state === 'failed' || !isBehind(next)) return undefined;
  const begun = { ...empty, state: 'filling' as const, byHand: next.byHand };
  return { record: { ...others, serving, previous, lastGeneration: generation, next: begun }, left: [restored(next)] };
}
