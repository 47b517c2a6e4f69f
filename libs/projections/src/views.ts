import type { LogHistory } from '#event-store/log-history';
import type { Position } from '#kernel/position';
import type { Key, Row, ScanOptions } from '#read-models/read-model-store';

/** Reads the serving generation of each collection by its logical name. What queries are given instead of the store. */
export interface Views {
  /** Which history of the log the positions are of: who is given one to keep gets it by this. */
  readonly history: LogHistory;
  get(collection: string, key: Key): Promise<string | undefined>;
  getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]>;
  scan(collection: string, options: ScanOptions): Promise<Row[]>;
  /** As of ReadModelStore: for who writes something that cannot be taken back, because of what is or is not in the views. */
  confirm(): Promise<void>;
  /**
   * The position that the projectors of these collections have passed, or all projectors: no token that covers them may run
   * ahead of it. A paused projector holds it back, and so does one whose new version is not filled yet.
   */
  position(collections?: readonly string[]): Position;
  /**
   * Settles when the projectors of these collections have passed the position; without any, all that move together: one that
   * takes long is left behind by the others, and waited for by name alone. Those that are paused, or whose new version is not
   * filled yet, are not waited for, and nobody waits for views that cannot be written, or for longer than some seconds: what the
   * log has is done, and whoever wrote it is told so.
   */
  whenProcessed(position: Position, collections?: readonly string[]): Promise<void>;
  /**
   * Settles when all that the projectors of these collections write, also what is paused or being filled, has passed the position, however long that takes,
   * and is kept whatever ends; the log says so then (`removals-forgotten`), so that older copies of them are known. For who takes out of the log what they could not do
   * without, right after; and what that had taken away before they ask, for nobody waits for what begins to be filled from then on. Rejects where the projections are stopped.
   */
  whenKept(position: Position, collections: readonly string[]): Promise<void>;
  /**
   * Settles when `position` of these collections is further than this, with what it is: of those that are paused, or not filled yet, once
   * they have gone on, however long that takes. Rejects where the projections are stopped.
   */
  whenMoved(from: Position, collections: readonly string[]): Promise<Position>;
}

/** Injection token of the Views. */
export const VIEWS = Symbol.for('annals.Views');
