/** A key: parts compared one after another by their UTF-8 bytes. At most 1,100 bytes in all. */
export type Key = readonly string[];

export interface Row {
  readonly key: Key;
  readonly value: string;
}

/** A put, or with `value: null` a delete. */
export interface Write {
  readonly collection: string;
  readonly key: Key;
  readonly value: string | null;
  /** What `encodeKey` makes of the key. PERF: where whoever writes has made it, it is not made again. */
  readonly encoded?: string | undefined;
}

export interface ScanOptions {
  /** Only keys that start with these parts. */
  readonly prefix?: Key;
  /** Only keys after this one (exclusive), a full key, in the order of the keys whatever the direction. */
  readonly after?: Key;
  /** Only keys before this one (exclusive), a full key. */
  readonly before?: Key;
  /** Only this key and those after it (inclusive), a full key. */
  readonly from?: Key;
  /** Only this key and those before it (inclusive), a full key. */
  readonly to?: Key;
  readonly reverse?: boolean;
  /** The most rows to answer. Every scan is bounded. */
  readonly limit: number;
}

/** What a ReadModelStore reads without waiting: as its `get` and `scan`, and throws what they throw. */
export interface RowsAtHand {
  /** `encoded`: what `encodeKey` makes of the key, where it was made already. */
  get(collection: string, key: Key, encoded?: string): string | undefined;
  scan(collection: string, options: ScanOptions): Row[];
}

/** What became of the files of a store that were renewed. */
export interface Renewal {
  /** How large they were, and are. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly milliseconds: number;
  /** When it was done, in milliseconds since the epoch. */
  readonly at: number;
}

/**
 * The views: collections of rows ordered by key, that can be thrown away and rebuilt from the log. Writes need not survive a
 * crash by themselves, but of a `write` call all do or none, and with them all earlier calls: a checkpoint goes into the
 * same call as the rows it tells of. Any process may read; one writes, by a lease; its calls of `write` follow one another for
 * each row. Throws ViewsUnavailable where the store cannot be reached, is damaged or takes nothing more.
 */
export interface ReadModelStore {
  /** Whether this process is the one that writes: else `write` and `drop` throw. */
  readonly isWriter: boolean;
  /**
   * Tries to make this process the one that writes, and answers whether it is. Where another one is, it is to be asked again
   * and again: true once that has closed the store, or has not been heard of for some seconds of asking. What a crash has
   * left half written is whole then. Whoever loses the lease learns it by ViewsTaken, and nothing it still writes counts.
   */
  takeLease(): Promise<boolean>;
  /** undefined where there is no such row, as there is none under a key that is too long to be written. */
  get(collection: string, key: Key): Promise<string | undefined>;
  /** The values in the order of the keys asked for. */
  getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]>;
  scan(collection: string, options: ScanOptions): Promise<Row[]>;
  /** PERF: for who reads again and again; undefined where rows come over a network. */
  readonly atHand?: RowsAtHand;
  /**
   * Settles where the store is still what was written to it, so that what was read before counts: rows that somebody threw away
   * look like rows that never were. Throws ViewsUnavailable where it is not.
   */
  confirm(): Promise<void>;
  /**
   * Applies the writes in order. Once it settles every reader sees them; until then whoever sees the last of them sees all, so that
   * a checkpoint is put last. Where it throws, some may be there: the rest follow before anything else is written, and with
   * `flush`. Throws ViewsGone where the store has lost earlier writes.
   */
  write(writes: readonly Write[]): Promise<void>;
  /** Removes a collection and all its rows. No error where there is none. */
  drop(collection: string): Promise<void>;
  /** The collections that hold rows. */
  collections(): Promise<string[]>;
  /** Why the store cannot be reached or cannot keep what is written, as long as that is so. */
  readonly failure?: Error | undefined;
  /** What an operator should know though the store does its work. */
  readonly warning?: string | undefined;
  /** Resolves when all writes so far are durable, whichever process wrote them. */
  flush(): Promise<void>;
  /**
   * Leaves nothing in the store's files of what was deleted or written over before the call: others, that hold what is there alone, take
   * their place, while it is read and written on. Takes as long as copying all rows does. Undefined where the store has no such files of
   * its own. Throws ViewsNotRenewed where that cannot be done now: nothing has changed then.
   */
  renew?(): Promise<Renewal>;
  /** What the last renewal did since the store was opened. */
  readonly renewed?: Renewal | undefined;
  close(): Promise<void>;
}

/** Injection token of the ReadModelStore. */
export const READ_MODEL_STORE = Symbol.for('annals.ReadModelStore');
