import type { NewFact } from './event-store.js';

/** The fact of a stream at a revision; undefined where it is not there. */
export type FactAt = (revision: number) => Promise<NewFact | undefined>;

/**
 * How a folded state is kept outside of the log. What is secret, or may be erased one day, is not written there: only the revision
 * of the fact that says it, which is read again.
 */
export interface SnapshotCodec<S> {
  /** Of what `format` writes: what was written in another version is not believed. */
  readonly version: number;
  /** The state as plain JSON. */
  format(state: S): unknown;
  /** The state behind what `format` answered. */
  restore(kept: unknown, factAt: FactAt): S | Promise<S>;
}

/** A folded state as it is kept: what its stream's fold was at a revision. */
export interface StreamSnapshot {
  readonly version: number;
  readonly revision: number;
  /** The chain of the fact at that revision: where the log says otherwise the snapshot is of another one. */
  readonly chain: string;
  readonly state: unknown;
}

/** Where snapshots of streams are kept. They may be lost at any time. */
export interface SnapshotStore {
  find(stream: string): Promise<StreamSnapshot | undefined>;
  /** May do nothing: not every process can write there. */
  keep(stream: string, snapshot: StreamSnapshot): Promise<void>;
}
