import type { RecordedFact } from '#event-store/event-store';
import type { Answer } from '#kernel/answer';
import type { Declared } from './collection.js';
import type { Key, Row, ScanOptions } from '#read-models/read-model-store';

/** What a projector sees and writes: its own collections, as of the fact at hand, including what it wrote for earlier ones. */
export interface OwnRows {
  get(collection: string, key: Key): Answer<string | undefined>;
  scan(collection: string, options: ScanOptions): Answer<Row[]>;
  put(collection: string, key: Key, value: string): void;
  delete(collection: string, key: Key): void;
}

/**
 * A pure function of facts into keyed collections: no clock, no randomness, no I/O, no other projector's rows. Applying a
 * fact twice changes nothing more. A change of what it writes needs a new `version`, which makes the runtime rebuild it.
 */
export interface Projector {
  readonly name: string;
  readonly version: number;
  /**
   * The oldest version whose rows today's queries can still read. While a later version is filled, rows of that version or a
   * newer one go on serving; older rows do not, and the server starts only once they are rebuilt. Default: every version.
   */
  readonly readableSince?: number;
  /**
   * Whether a fact shows that the log has no more what this projected: it was erased, or let go. Its rows say where things stood by what was there then,
   * so that a rebuild differs is no fault from there on. Default: rows are the same, whatever has gone.
   */
  readonly showsGone?: (fact: RecordedFact) => boolean;
  /**
   * Whether the log forgets what a kind of fact took away, once all that serve or are to serve have come by it (`Views.whenKept`): a former generation that
   * stood still meanwhile, or one whose rebuild was cancelled or failed, would keep those rows, and is filled anew where it is to go on. Default: the log tells it for ever.
   */
  readonly isForgotten?: (type: string) => boolean;
  /** The logical names of the collections it owns. */
  readonly collections: readonly string[];
  /** What they are (`owning`). Only what is no part of the house, in tests and benches, leaves it out. */
  readonly declared?: readonly Declared[];
  /** Whether this kind of fact concerns it. */
  handles(type: string): boolean;
  /** Answers a promise only where it had to read: the synchronous path is the fast one. */
  project(fact: RecordedFact, rows: OwnRows): void | Promise<void>;
}
