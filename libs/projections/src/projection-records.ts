import type { RecordedFact } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import { START, type Position } from '#kernel/position';
import type { ReadModelStore, Write } from '#read-models/read-model-store';
import type { ProjectionRecord } from './projection.js';

/** The runtime's own collection: the shared checkpoint, one record for each projection, and the dead letters. */
export const RUNTIME_COLLECTION = 'annals.projections';

const CHECKPOINT_KEY = ['checkpoint'];
const MILESTONE_KEY = ['milestone'];
const BEGUN_KEY = ['forgotten-before'];
const PROJECTION_KEY = 'projection';

/** A fact that rows were made from, told so that a log can be asked whether it has that very fact. */
export interface FactMark {
  readonly position: Position;
  readonly stream: string;
  readonly revision: number;
  readonly chain: string;
}

/** What is noted of a fact, so that it is known again. */
export function markOf({ position, stream, revision, metadata }: RecordedFact): FactMark {
  return { position, stream, revision, chain: metadata.chain };
}

/** How far the views are, and of which log they are. */
export interface Checkpoint {
  /** The id of the log; null for one that has not been named. */
  readonly log: string | null;
  /** START where nothing was projected yet. */
  readonly position: Position;
  /** The same as the log's history has it (`LogHistory.format`): absent at START. */
  readonly place?: string;
  /** How many facts there are up to there: where positions do not count them, nobody else knows. */
  readonly facts?: number;
  /** The last fact that was projected; absent at START. */
  readonly fact?: FactMark;
}

/** The write that moves the shared checkpoint. It goes into the same call of `write` as the rows it tells of. */
export function checkpointWrite(
  log: string | null,
  fact: RecordedFact | undefined,
  facts: number,
  history: LogHistory = LogHistory.UNBROKEN,
): Write {
  const checkpoint: Checkpoint =
    fact === undefined
      ? { log, position: START }
      : { log, position: fact.position, place: history.format(fact.position), facts, fact: markOf(fact) };
  return { collection: RUNTIME_COLLECTION, key: CHECKPOINT_KEY, value: JSON.stringify(checkpoint) };
}

/** As many facts lie between the last ones that are noted. */
const MILESTONE_FACTS = 64;

/**
 * The write that notes a fact on the way, should the log one day be put back to before the checkpoint; undefined where none is
 * due. One is kept of each rank, and each next rank is due half as often: so they are the closer together the later they are.
 * `had`, `has`: how many facts there were before the batch that ends with this one, and with it.
 */
export function milestoneWrite(fact: RecordedFact, had: number, has: number): Write | undefined {
  let rank = 0;
  for (let apart = MILESTONE_FACTS; Math.floor(had / apart) < Math.floor(has / apart); apart *= 2) rank++;
  if (rank === 0) return undefined;
  const value = JSON.stringify(markOf(fact));
  return { collection: RUNTIME_COLLECTION, key: [...MILESTONE_KEY, String(rank)], value };
}

/** The write that keeps a projection's state. */
export function recordWrite(name: string, record: ProjectionRecord | null): Write {
  const value = record === null ? null : JSON.stringify(record);
  return { collection: RUNTIME_COLLECTION, key: [PROJECTION_KEY, name], value };
}

/**
 * The write that keeps what the log had noted last of what it forgets (`Forgotten.last`) when what serves of a projection began to be filled, by name: of what was forgotten by then
 * it never had anything. No place is kept: in a log that was put back another fact may stand there.
 */
export function begunWrite(begun: ReadonlyMap<string, string>): Write {
  return { collection: RUNTIME_COLLECTION, key: BEGUN_KEY, value: JSON.stringify(Object.fromEntries(begun)) };
}

/** What says that the views are being thrown away: until that is done they are nobody's. */
export const droppingWrite: Write = { collection: RUNTIME_COLLECTION, key: CHECKPOINT_KEY, value: '{}' };

/** How far the projections are. */
export interface Standing {
  /** Undefined where there is none, or none that this version reads. */
  readonly checkpoint: Checkpoint | undefined;
  readonly records: ReadonlyMap<string, ProjectionRecord>;
}

export interface StoredState extends Standing {
  /** Facts that the views were made from, besides those that these name. */
  readonly milestones: readonly FactMark[];
  /** As of `begunWrite`. */
  readonly begun: ReadonlyMap<string, string>;
}

/** What is stored where nothing was projected yet. */
export const NOTHING_STORED: StoredState = {
  checkpoint: undefined,
  records: new Map(),
  milestones: [],
  begun: new Map(),
};

/** Reads what an earlier run left. */
export async function readState(store: ReadModelStore): Promise<StoredState> {
  const text = await store.get(RUNTIME_COLLECTION, CHECKPOINT_KEY);
  const rows = await store.scan(RUNTIME_COLLECTION, { prefix: [PROJECTION_KEY], limit: 10_000 });
  const noted = await store.scan(RUNTIME_COLLECTION, { prefix: MILESTONE_KEY, limit: 100 });
  const begunText = (await store.get(RUNTIME_COLLECTION, BEGUN_KEY)) ?? '{}';
  try {
    const standing = parseStanding(
      text,
      rows.map(({ key, value }) => [key[1]!, value] as const),
    );
    // A process wrote it that did not know yet that its views had been thrown away, and with it no more than it had changed last.
    if (rows.length === 0 && standing.checkpoint !== undefined && standing.checkpoint.position !== START)
      return NOTHING_STORED;
    const milestones = noted.map(({ value }) => JSON.parse(value) as FactMark);
    const begun = new Map(Object.entries(JSON.parse(begunText) as Record<string, string>));
    return { ...standing, milestones, begun };
  } catch {
    return NOTHING_STORED;
  }
}

/** Reads how far the projections are, of one moment, in one look. */
export async function readStanding(
  store: ReadModelStore,
  projectors: readonly { readonly name: string }[],
): Promise<Standing> {
  const keys = projectors.map(({ name }) => [PROJECTION_KEY, name]);
  const [text, ...records] = await store.getMany(RUNTIME_COLLECTION, [CHECKPOINT_KEY, ...keys]);
  try {
    return parseStanding(
      text,
      projectors.map(({ name }, i) => [name, records[i]] as const),
    );
  } catch {
    return NOTHING_STORED;
  }
}

function parseStanding(text: string | undefined, rows: readonly (readonly [string, string | undefined])[]): Standing {
  // Written by `checkpointWrite` and `recordWrite` and by nobody else, unless the views are damaged.
  const checkpoint = text === undefined ? undefined : (JSON.parse(text) as Partial<Checkpoint>);
  const records = new Map<string, ProjectionRecord>();
  for (const [name, value] of rows) if (value !== undefined) records.set(name, JSON.parse(value) as ProjectionRecord);
  return { checkpoint: isCheckpoint(checkpoint) ? checkpoint : undefined, records };
}

function isCheckpoint(checkpoint: Partial<Checkpoint> | undefined): checkpoint is Checkpoint {
  return typeof checkpoint?.position === 'string' && checkpoint.log !== undefined;
}
