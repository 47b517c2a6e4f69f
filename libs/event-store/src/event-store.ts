import type { CacheNumbers } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';

/** What surrounds a fact's data. `chain` links it to the fact before it in its stream (see `seal-facts.ts`). */
export interface FactMetadata {
  /** Milliseconds since the epoch when the fact was decided. */
  readonly at: number;
  /** Who caused it: a user id, a server name, or `server` for the server itself. */
  readonly actor: string;
  readonly device?: string;
  /** The id of the fact or request that caused this one. */
  readonly causation?: string;
  /** The id shared by all that one request caused. */
  readonly correlation?: string;
  /** The version of the shape of `data`, from 1. */
  readonly schema: number;
  /** sha256 in hex over the previous fact's chain and all of this fact (`seal-facts.ts` defines the bytes). */
  readonly chain: string;
  /** Where the part of `data` begins that may be erased one day (its tail), in UTF-16 units; absent: nothing may. */
  readonly erasable?: number;
  /** sha256 in hex of the tail as it was first: only where another one was put in its place. */
  readonly erased?: string;
}

/**
 * A fact to append. `data` is JSON text (well-formed: no lone surrogates) and is kept byte for byte, up to 16 MB. `id` is a
 * UUID in lower case: the same fact again has the same id.
 */
export interface NewFact {
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: FactMetadata;
}

/** A fact as the log holds it. `revision` counts from 0 within its stream. */
export interface RecordedFact extends NewFact {
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
}

/** The revision the writer believes to be the last of the stream, or that there is no such stream yet. */
export type ExpectedRevision = number | 'no-stream';

/** Where the last of the appended facts went. */
export interface Appended {
  readonly revision: number;
  readonly position: Position;
}

/** The stream is not where the writer believed it to be: reload and decide again. `actual` is its last revision. */
export class RevisionConflict extends Error {
  constructor(
    readonly stream: string,
    readonly expected: ExpectedRevision,
    readonly actual: ExpectedRevision,
  ) {
    super(`${stream}: expected ${expected}, is ${actual}`);
    this.name = 'RevisionConflict';
  }
}

export interface ReadStreamOptions {
  /** First revision to read, inclusive; default: the first. Backwards: the last, also where `from` lies beyond it. */
  readonly from?: number;
  readonly backwards?: boolean;
  readonly limit?: number;
  /** A fact that was told in parts as it was written: for who wants nothing of what its parts hold (`FactParts`). */
  readonly inParts?: boolean;
}

/**
 * How much of the log lies between two positions. A log that numbers its facts tells how many; a server tells bytes of its
 * own log, in which there may be other things too.
 */
export interface Distance {
  readonly amount: number;
  readonly unit: 'facts' | 'bytes';
}

/**
 * The log: the only truth. Facts are never changed, but for the tail of some (`erase`), nor removed, but for the first of a stream
 * (`truncate`); the order of positions is the order in which they became visible, and no fact ever appears behind a position that
 * a reader has passed.
 */
export interface EventStore {
  /** What was found damaged in it since it was opened. What does not need that goes on. */
  readonly damage?: Error | undefined;
  /** What it keeps in memory of what it has read, by name: for metrics. */
  readonly caches?: Readonly<Record<string, CacheNumbers>> | undefined;
  /**
   * Appends all the facts or none, durably. Throws RevisionConflict when the stream's last revision is not `expected`,
   * except where the same facts (by id) already stand at that very place: then it answers as the first time. Throws
   * RangeError when there is nothing to append or something is too large.
   */
  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended>;
  /**
   * Puts another tail in the place of a fact's own (FactMetadata.erasable), durably: from when it settles no reading in this
   * process answers the old one, nor one that begins in another process. Doing it again changes nothing. Throws NotErasable for
   * a fact without a tail or one that is not there, RangeError where the data would be no JSON.
   */
  erase(stream: string, revision: number, tail: string): Promise<void>;
  /**
   * Takes away the facts of a stream before a revision, durably: nobody reads them any more, and those behind keep their
   * revisions and positions. The fact at the revision has to be there, for the next one is linked to the last (RangeError). Doing
   * it again, or with an earlier revision, changes nothing.
   */
  truncate(stream: string, before: number): Promise<void>;
  /** The facts of one stream in order; nothing for a stream that does not exist. */
  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedFact>;
  /**
   * Every fact behind `after` (exclusive) up to the head at the time of the call, in order of position, in batches of no more than
   * `batchSize`, and of some megabytes.
   */
  readAll(options: { after: Position; batchSize?: number }): AsyncIterable<readonly RecordedFact[]>;
  /**
   * Every fact behind `after` (exclusive), then each new one as it becomes durable, in batches, until `signal` aborts (the
   * iteration then simply ends). Survives a lost connection: goes on behind the last fact delivered. Ends, too, when the
   * store is closed. A slow subscriber loses nothing and holds up nobody. Throws LogPutBack where the log was put back, while
   * the connection was lost, to before what was delivered.
   */
  subscribe(options: { after: Position; signal: AbortSignal }): AsyncIterable<readonly RecordedFact[]>;
  /**
   * The names of all streams, or of those that start with `prefix`, each once, in no promised order. For tools (verify,
   * audit, export): it may have to walk the whole log.
   */
  streams(options?: { prefix?: string }): AsyncIterable<string>;
  /** The position of the last fact; START when there is none. */
  head(): Promise<Position>;
  /** The last fact; undefined when there is none. */
  findLast(): Promise<RecordedFact | undefined>;
  /** How much lies after one position (exclusive) up to another (inclusive); nothing where they are the other way round. */
  distance(after: Position, upTo: Position): Distance;
  close(): Promise<void>;
}

/** Injection token of the EventStore. */
export const EVENT_STORE = Symbol.for('annals.EventStore');
