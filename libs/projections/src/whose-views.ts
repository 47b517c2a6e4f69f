import type { EventStore } from '#event-store/event-store';
import { LogHistory } from '#event-store/log-history';
import { findLogIdentity } from '#event-store/log-identity';
import { type Place, START, type Position } from '#kernel/position';
import type { ReadModelStore } from '#read-models/read-model-store';
import { WRITE_SIDE } from '#read-models/write-side-collections';
import { type FactMark, droppingWrite, readState, RUNTIME_COLLECTION, type StoredState } from './projection-records.js';

/** A collection of a generation: see `Generation`. Others may share a database with us. */
const GENERATION = /^.+\..+@\d+-\d+$/;

/** The views as they are stored, and whether they are of this log. */
export interface OwnedState extends StoredState {
  /** The id of the log at hand; null where it has not been named. */
  readonly logId: string | null;
  readonly history: LogHistory;
  /** Why the views cannot be those of this log, in words that follow "the views": they have to be made anew. */
  readonly foreign: string | undefined;
  /**
   * Where they are of this log all the same, but of facts that it has lost, for it was put back to an earlier moment: the last
   * place that the views know, up to which it is as it was before. Whoever wrote since did so after that.
   */
  readonly putBackTo: Position | undefined;
}

/**
 * Reads what is stored and asks the log about it: views are believed only where they name its id and where the log holds the
 * very facts that they say they were made from, no further than it reaches.
 */
export async function readOwnedState(store: EventStore, readModels: ReadModelStore): Promise<OwnedState> {
  const state = await readState(readModels);
  const identity = await findLogIdentity(store);
  const logId = identity?.logId ?? null;
  const history = identity === undefined ? LogHistory.UNBROKEN : new LogHistory(identity.restored);
  const lost = findLost(state, logId, history);
  const foreign =
    lost === undefined
      ? await findWhyForeign(store, readModels, state, logId)
      : `are at ${state.checkpoint?.position}, in a part of the log that it has lost`;
  // What it says itself that it has lost it does not lose anew; where it does not know when that was, it was put back to before that.
  const isNoted = lost !== undefined && lost !== START;
  const isLogPutBack = foreign !== undefined && !isNoted && logId !== null && state.checkpoint?.log === logId;
  const putBackTo = isLogPutBack ? await findLastHeld(store, state) : undefined;
  return { ...state, logId, history, foreign, putBackTo };
}

/** Where the last fact stands that both the views and the log have, of those that are noted. */
async function findLastHeld(store: EventStore, { records, milestones }: StoredState): Promise<Position> {
  const marks = [...milestones, ...marksOf(records)].filter((mark) => mark !== undefined);
  for (const mark of marks.toSorted((a, b) => (a.position < b.position ? 1 : -1))) {
    if (await holds(store, mark)) return mark.position;
  }
  return START;
}

/**
 * The last place before the part of the log that the views are of, where it was lost: what has taken its place may look alike by now, for the fact that they name was let go. START where
 * the log does not know when that was; undefined where nothing says that it was lost.
 */
function findLost({ checkpoint }: StoredState, logId: string | null, history: LogHistory): Place | undefined {
  if (checkpoint?.place === undefined || checkpoint.log !== logId) return undefined;
  const settled = history.find(checkpoint.place);
  return settled?.isLost === true ? settled.place : undefined;
}

async function findWhyForeign(
  store: EventStore,
  readModels: ReadModelStore,
  { checkpoint, records }: StoredState,
  logId: string | null,
): Promise<string | undefined> {
  if (checkpoint === undefined) {
    return (await ownCollections(readModels)).length === 0 ? undefined : 'do not say of which log they are';
  }
  if (checkpoint.log !== logId) return 'belong to another log';
  const head = await store.head();
  if (checkpoint.position > head) return `are at ${checkpoint.position}, ahead of the log at ${head}`;
  for (const mark of [checkpoint.fact, ...marksOf(records)]) {
    if (mark !== undefined && !(await holds(store, mark))) {
      return `were made from a fact at ${mark.position} that the log does not have`;
    }
  }
  return undefined;
}

function marksOf(records: StoredState['records']): (FactMark | undefined)[] {
  return [...records.values()].flatMap(({ serving, previous, next }) => [serving.mark, previous?.mark, next?.mark]);
}

async function holds(store: EventStore, { stream, revision, position, chain }: FactMark): Promise<boolean> {
  for await (const fact of store.readStream(stream, { from: revision, limit: 1 })) {
    // A fact that was truncated since: the log is the same, and nobody can tell more.
    return fact.revision > revision || (fact.position === position && fact.metadata.chain === chain);
  }
  return false;
}

/**
 * Throws all views away, also what the write side keeps among them. Should it be interrupted, what is left belongs to no log
 * and is thrown away by the next start.
 */
export async function dropViews(readModels: ReadModelStore): Promise<void> {
  await readModels.write([droppingWrite]);
  const own = await ownCollections(readModels);
  for (const name of own) if (name !== RUNTIME_COLLECTION) await readModels.drop(name);
  await readModels.drop(RUNTIME_COLLECTION);
}

/** The collections with rows that are ours: what else may stand in a database is left alone. */
async function ownCollections(readModels: ReadModelStore): Promise<string[]> {
  const names = await readModels.collections();
  return names.filter(
    (name) => name === RUNTIME_COLLECTION || GENERATION.test(name) || Object.hasOwn(WRITE_SIDE, name),
  );
}
