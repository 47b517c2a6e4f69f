import type { Database, RootDatabase } from 'lmdb';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { EventStoreUnavailable, LogDamaged } from '../event-store-errors.js';
import type { RecordedFact } from '../event-store.js';
import { checkVersion } from './check-version.js';
import { FactRecords, placeFact, TRUNCATED_RECORD } from './fact-record.js';
import { FreePages } from './free-pages.js';
import { LogDamage } from './log-damage.js';
import { MAX_REVISION, rangeOf, revisionKey } from './log-keys.js';
import { positionNumber } from './counted-position.js';
import { readRange } from './read-range.js';
import { whyNotCommitted } from './why-not-committed.js';

/** After how many characters of data one reading from disk stops early. */
const READ_CHARACTERS = 4 * 1024 * 1024;
const KNOWN_NAMES = 100_000;
/** The last fact of a stream, and the number that stands for the stream's name. */
export interface Head {
  readonly number: number;
  readonly revision: number;
}

/**
 * The tables of the log: `facts` by position; `revisions` by a stream's number and revision, to the position; `streams` by
 * name, to the number; `names` back. A fact that was truncated has a row in `facts` alone. Reading sees what is committed or, inside a write transaction, what it wrote.
 */
export class LogTables {
  readonly #root: RootDatabase;
  readonly #facts: Database<RecordedFact | null, number>;
  readonly #revisions: Database<Buffer, Buffer>;
  readonly #streams: Database<number, string>;
  readonly #names: Database<string, number>;
  /** Undefined where the log is open for reading only. */
  readonly freePages: FreePages | undefined;
  readonly records = new FactRecords();
  readonly #knownNames = new LruCache<number, string>(KNOWN_NAMES);
  readonly #damage: LogDamage;

  constructor(
    root: RootDatabase,
    {
      file,
      isReadOnly,
      onDamage = () => {},
    }: { readonly file: string; readonly isReadOnly: boolean; readonly onDamage?: (damage: LogDamaged) => void },
  ) {
    this.#root = root;
    const streamName = (number: number) => this.#nameOf(number);
    // lmdb passes the length where it iterates, and options where it gets.
    const decode = (record: Buffer, length: unknown) => {
      try {
        return this.records.decode(record, typeof length === 'number' ? length : record.length, streamName);
      } catch (error) {
        throw error instanceof LogDamaged ? error : new LogDamaged('a fact is not as it was written', { cause: error });
      }
    };
    this.#facts = openTable(root, 'facts', { encoder: { encode: (record: Buffer) => record, decode } });
    this.#revisions = openTable(root, 'revisions', { keyEncoding: 'binary', encoding: 'binary' });
    this.#streams = openTable(root, 'streams', { encoding: 'ordered-binary' });
    this.#names = openTable(root, 'names', { keyEncoding: 'uint32', encoding: 'string' });
    this.freePages = isReadOnly
      ? undefined
      : new FreePages(root, this.#facts, [this.#revisions, this.#streams, this.#names]);
    this.#damage = new LogDamage(onDamage, isReadOnly ? undefined : file);
  }

  /** What is known of the names of streams, for metrics. */
  get names(): CacheNumbers {
    return this.#knownNames.numbers;
  }

  /** What was found first of all that is not as it was written. */
  get damage(): LogDamaged | undefined {
    return this.#damage.first;
  }

  /**
   * Runs `write` in a transaction that is undone when it throws; settles when it is on disk. Throws EventStoreUnavailable where
   * the disk does not take it: then nothing of it has happened; and LogDamaged where the file was deleted, and what is written goes
   * with this process.
   */
  async transact(write: () => void): Promise<void> {
    this.#damage.checkFile();
    await this.#transact(write);
    this.#damage.checkFile();
  }

  async #transact(write: () => void): Promise<void> {
    try {
      // A child transaction, because lmdb commits the outer one even when the callback throws.
      await this.#root.childTransaction(write);
    } catch (error) {
      if (error instanceof LogDamaged) throw error;
      const reason = await whyNotCommitted(error);
      const damage = this.#damage.note(reason ?? error);
      if (damage !== undefined) throw damage;
      if (!(reason instanceof Error)) throw error;
      throw new EventStoreUnavailable(`it could not be written: ${reason.message}`, { cause: error });
    }
  }

  /** As `checkVersion`. */
  checkVersion(): void {
    checkVersion(this.#facts, () => this.#root.resetReadTxn());
  }

  /** Lets the next reading see what other processes have written. */
  refresh(): void {
    this.#root.resetReadTxn();
  }

  async close(): Promise<void> {
    await this.#root.close();
    this.#damage.close();
  }

  /** The last position of all; 0 where there is none. */
  lastPosition(): number {
    return this.#read('its end', () => {
      for (const position of readRange(this.#facts.getKeys({ reverse: true, limit: 1 }))) return position;
      return 0;
    });
  }

  findStream(name: string): number | undefined {
    return this.#read(`the stream ${name}`, () => {
      return this.#streams.get(name);
    });
  }

  findHead(name: string): Head | undefined {
    return this.#read(`the stream ${name}`, () => {
      const number = this.#streams.get(name);
      if (number === undefined) return undefined;
      const range = { ...rangeOf(number, MAX_REVISION, true), limit: 1 };
      for (const { key } of readRange(this.#revisions.getRange(range)))
        return { number, revision: key.readUInt32BE(4) };
      return undefined;
    });
  }

  /** The fact of a stream at a revision; undefined where it is not there any more, or never was. */
  findFact(number: number, revision: number): RecordedFact | undefined {
    return this.#read(`stream ${number}`, () => {
      const position = this.#revisions.get(revisionKey(number, revision));
      return (position && this.#facts.get(position.readDoubleBE(0))) ?? undefined;
    });
  }

  /** Inside a write transaction: gives a new stream its number. Throws RangeError for a name that cannot be kept. */
  addStream(name: string): number {
    let number = 1;
    for (const last of this.#names.getKeys({ reverse: true, limit: 1 })) number = last + 1;
    void this.#streams.put(name, number);
    void this.#names.put(number, name);
    return number;
  }

  /** Inside a write transaction: adds a record that knows its place. */
  addFact(number: number, revision: number, position: number, record: Buffer): void {
    const value = Buffer.allocUnsafe(8);
    value.writeDoubleBE(position, 0);
    // PERF: it stands behind all others, and so LMDB fills its pages to their end; else it would leave half of each free.
    this.#facts.putSync(position, record as unknown as RecordedFact, { append: true });
    void this.#revisions.put(revisionKey(number, revision), value);
  }

  /** Inside a write transaction: puts a fact in its own place, as it is from now on. */
  rewriteFact(number: number, before: RecordedFact, after: RecordedFact): void {
    const position = positionNumber(before.position);
    const record = this.records.encode(after);
    placeFact(record, number, after.revision, position);
    this.#blankRecord(position);
    this.#putRecord(position, record);
    this.freePages?.noteErased(position);
  }

  /** Inside a write transaction: takes away facts of a stream before a revision, at most `limit`. Answers whether that was all. */
  truncate(number: number, before: number, limit: number): boolean {
    if (before === 0) return true;
    const range = { ...rangeOf(number, 0, false), end: revisionKey(number, before - 1), limit };
    const rows = [...readRange(this.#revisions.getRange(range))].map(({ key, value }) => ({
      key: Buffer.from(key),
      position: value.readDoubleBE(0),
    }));
    for (const { key, position } of rows) {
      this.#blankRecord(position);
      this.#putRecord(position, TRUNCATED_RECORD);
      void this.#revisions.remove(key);
      this.freePages?.noteErased(position);
    }
    return rows.length < limit;
  }

  /** Leaves nothing of a record in its page, whatever is put in its place then. */
  #blankRecord(position: number): void {
    const record = this.#facts.getBinary(position);
    if (record !== undefined) this.#putRecord(position, Buffer.alloc(record.length));
  }

  #putRecord(position: number, record: Buffer): void {
    void this.#facts.put(position, record as unknown as RecordedFact);
  }

  /**
   * The facts behind `after` up to `end` (there must be some), at most `limit`, fewer where they are large; none where all that was
   * read is truncated. `last`: up to where it was read.
   */
  readPositions(after: number, end: number, limit: number): { readonly facts: RecordedFact[]; readonly last: number } {
    return this.#read(`what stands behind position ${after}`, () => {
      const facts: RecordedFact[] = [];
      let characters = 0;
      let last = after;
      for (const { key, value } of readRange(this.#facts.getRange({ start: after + 1, end: end + 1, limit }))) {
        // A damaged page can hide rows from LMDB: better no answer than one that leaves out facts.
        if (key !== last + 1) throw new LogDamaged(`after ${last} comes ${key}`);
        last = key;
        if (value === null) continue;
        facts.push(value);
        characters += value.data.length;
        if (characters > READ_CHARACTERS) break;
      }
      if (last === after) throw new LogDamaged('nothing is there');
      return { facts, last };
    });
  }

  /** The facts of a stream from a revision on, at most `limit`, fewer where they are large; none at its end. */
  readRevisions(number: number, from: number, backwards: boolean, limit: number): RecordedFact[] {
    return this.#read(`stream ${number}, revision ${from}`, () => {
      const facts: RecordedFact[] = [];
      let characters = 0;
      const step = backwards ? -1 : 1;
      for (const { value } of readRange(this.#revisions.getRange({ ...rangeOf(number, from, backwards), limit }))) {
        const fact = this.#facts.get(value.readDoubleBE(0));
        if (fact === undefined || fact === null) throw new LogDamaged(`position ${value.readDoubleBE(0)} is lost`);
        const before = facts.at(-1)?.revision;
        if (before !== undefined && fact.revision !== before + step) {
          throw new LogDamaged(`after ${before} comes ${fact.revision}`);
        }
        facts.push(fact);
        characters += fact.data.length;
        if (characters > READ_CHARACTERS) break;
      }
      return facts;
    });
  }

  /** Names of streams in order, behind `after`, beginning where `prefix` would stand. */
  listNames(prefix: string, after: string | undefined, limit: number): string[] {
    return this.#read('the names of its streams', () => {
      const start = after ?? (prefix === '' ? undefined : prefix);
      const from = start === undefined ? {} : { start, exclusiveStart: after !== undefined };
      return [...readRange(this.#streams.getKeys({ ...from, limit }))];
    });
  }

  /** Runs what reads; remembers and names what is not as it was written. */
  #read<T>(what: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      const damage = this.#damage.noteReading(what, error);
      if (damage === undefined) throw error;
      this.#root.resetReadTxn();
      throw damage;
    }
  }

  #nameOf(number: number): string {
    let name = this.#knownNames.get(number);
    if (name === undefined) {
      name = this.#names.get(number);
      if (name === undefined) throw new LogDamaged(`the name of stream ${number} is lost`);
      this.#knownNames.set(number, name);
    }
    return name;
  }
}

function openTable<V, K extends number | string | Buffer>(
  root: RootDatabase,
  name: string,
  options: object,
): Database<V, K> {
  const table = root.openDB<V, K>({ name, ...options });
  // lmdb answers undefined for a table that is not there and may not be created.
  if (table === undefined) throw new Error(`There is no log: the table ${name} is missing`);
  return table;
}
