import { parsePosition, START, type Position } from '#kernel/position';
import type { ReadModelStore, Write } from '#read-models/read-model-store';
import type { ProjectionRecord } from './projection.js';

/** The runtime's own collection: the shared checkpoint, one record for each projection, and the dead letters. */
export const RUNTIME_COLLECTION = 'annals.projections';

const CHECKPOINT_KEY = ['checkpoint'];

/** The write that moves the shared checkpoint. It goes last into each batch: what it says has been done is then there. */
export function checkpointWrite(position: Position): Write {
  return { collection: RUNTIME_COLLECTION, key: CHECKPOINT_KEY, value: position };
}

/** The write that keeps a projection's state. */
export function recordWrite(name: string, record: ProjectionRecord | null): Write {
  const value = record === null ? null : JSON.stringify(record);
  return { collection: RUNTIME_COLLECTION, key: ['projection', name], value };
}

export interface StoredState {
  /** START where nothing was projected yet. */
  readonly checkpoint: Position;
  readonly records: ReadonlyMap<string, ProjectionRecord>;
}

/** Reads what an earlier run left. Throws where the checkpoint is not a position: that store is not ours. */
export async function readState(store: ReadModelStore): Promise<StoredState> {
  const text = (await store.get(RUNTIME_COLLECTION, CHECKPOINT_KEY)) ?? START;
  const checkpoint = parsePosition(text);
  if (checkpoint === undefined) throw new Error(`The checkpoint of the read models is not a position: ${text}`);
  const rows = await store.scan(RUNTIME_COLLECTION, { prefix: ['projection'], limit: 10_000 });
  // Written by `recordWrite` and by nobody else.
  const records = rows.map(({ key, value }) => [key[1]!, JSON.parse(value) as ProjectionRecord] as const);
  return { checkpoint, records: new Map(records) };
}
