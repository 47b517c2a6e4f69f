import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { Outage, type OutageWatch } from '#kernel/outage';
import {
  RevisionConflict,
  type Appended,
  type ExpectedRevision,
  type NewFact,
  type RecordedFact,
} from '../event-store.js';
import { EventStoreUnavailable, NotErasable } from '../event-store-errors.js';
import { eraseTail } from '../seal-facts.js';
import { positionOf } from './counted-position.js';
import { placeFact } from './fact-record.js';
import type { DurableBatch } from './live-tail.js';
import { checkStreamName, MAX_REVISION } from './log-keys.js';
import type { Head, LogTables } from './log-tables.js';

/** What one commit takes along at most, so that no transaction holds the event loop for long. */
const COMMIT_FACTS = 2000;
const COMMIT_CHARACTERS = 32 * 1024 * 1024;
const KNOWN_HEADS = 100_000;
/** What one transaction truncates at most. */
const TRUNCATED_AT_ONCE = 2000;
/** What one transaction erases at most: each is read and written anew in it. */
const ERASED_AT_ONCE = 100;
/** So long after something was erased the pages that have become free are overwritten, and those of others with them. */
const OVERWRITE_AFTER_MS = 1000;

interface WaitingAppend {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly facts: readonly NewFact[];
  readonly records: readonly Buffer[];
  readonly characters: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** What one transaction did: told to the writers and the subscribers once it is on disk. */
interface Group {
  readonly appends: WaitingAppend[];
  readonly settle: (() => void)[];
  readonly heads: Map<string, Head>;
  readonly facts: RecordedFact[];
  characters: number;
  position: number;
}

/** Who hears of commits. */
export interface CommitListener extends OutageWatch {
  /** Facts are on disk; before their writers hear of it. */
  readonly onDurable: (batch: DurableBatch) => void;
  /** Facts are not any more as they were handed out. */
  readonly onRewritten: () => void;
}

/** A fact whose tail is to go. */
interface WaitingErasure {
  readonly stream: string;
  readonly revision: number;
  readonly tail: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A change of what is there already, in a transaction of its own, or what is done without one. */
interface Rewriting {
  readonly run: () => Promise<void>;
  readonly reject: (error: unknown) => void;
}

/** The one writer of the log: appends that arrive while the disk is busy share the next commit. */
export class GroupCommits {
  readonly #heads = new LruCache<string, Head>(KNOWN_HEADS);
  #waiting: WaitingAppend[] = [];
  #erasures: WaitingErasure[] = [];
  #rewritings: Rewriting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #overwriting = Promise.resolve();
  #committing: Promise<void> | undefined;
  #position: number;
  /** The disk takes nothing more. */
  readonly #outage: Outage<'append'>;

  constructor(
    private readonly tables: LogTables,
    private readonly listener: CommitListener,
  ) {
    this.#position = tables.lastPosition();
    this.#outage = new Outage(listener);
    if (tables.freePages?.isDue() === true) this.#overwriteSoon();
  }

  /** What is known of the last facts of streams, for metrics. */
  get heads(): CacheNumbers {
    return this.#heads.numbers;
  }

  /** The last durable position. */
  get position(): number {
    return this.#position;
  }

  /** As `EventStore.append`. */
  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    return new Promise((resolve, reject) => {
      if (facts.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
      checkStreamName(stream);
      const characters = facts.reduce((sum, fact) => sum + fact.data.length, 0);
      const records = facts.map((fact) => this.tables.records.encode(fact));
      this.#waiting.push({ stream, expected, facts, records, characters, resolve, reject });
      this.#committing ??= this.#commitAll();
    });
  }

  /** As `EventStore.erase`. PERF: those that wait share a commit, for each waits for the disk. */
  erase(stream: string, revision: number, tail: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#erasures.push({ stream, revision, tail, resolve, reject });
      this.#committing ??= this.#commitAll();
    });
  }

  /** As `EventStore.truncate`. */
  async truncate(stream: string, before: number): Promise<void> {
    const head = this.tables.findHead(stream);
    if (head === undefined || before > head.revision) throw new RangeError(`${stream} has no revision ${before}`);
    while (!(await this.#rewrite(() => this.tables.truncate(head.number, before, TRUNCATED_AT_ONCE))));
    this.#noteRewritten();
  }

  /** Runs `write` in a transaction of its own, when its turn comes. */
  async #rewrite<T>(write: () => T): Promise<T> {
    let result: T;
    await this.alone(() => this.tables.transact(() => (result = write())));
    return result!;
  }

  /** Runs something when its turn comes, while nothing else is committed. */
  alone(run: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#rewritings.push({ run: () => run().then(resolve), reject });
      this.#committing ??= this.#commitAll();
    });
  }

  #noteRewritten(): void {
    this.listener.onRewritten();
    this.#overwriteSoon();
  }

  #overwriteSoon(): void {
    this.#timer ??= setTimeout(() => void this.#overwrite(), OVERWRITE_AFTER_MS).unref();
  }

  /** What fails stays due: the next start does it. */
  #overwrite(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#overwriting = this.#overwriting.then(async () => {
      do this.tables.refresh();
      while (!(await this.#rewrite(() => this.tables.freePages!.overwrite())));
    });
    return (this.#overwriting = this.#overwriting.catch(() => {}));
  }

  /** Settles when nothing waits to be written, and nothing to be overwritten. */
  async close(): Promise<void> {
    await this.#committing;
    await (this.#timer === undefined ? this.#overwriting : this.#overwrite());
  }

  async #commitAll(): Promise<void> {
    while (this.#waiting.length > 0 || this.#rewritings.length > 0 || this.#erasures.length > 0) {
      await this.#eraseSome();
      // One, and then whoever waits to append.
      const rewriting = this.#rewritings.shift();
      if (rewriting !== undefined) await rewriting.run().catch(rewriting.reject);
      if (this.#waiting.length === 0) continue;
      const position = this.#position;
      const group: Group = { appends: [], settle: [], heads: new Map(), facts: [], characters: 0, position };
      try {
        await this.tables.transact(() => this.#place(group));
      } catch (error) {
        // None of it has happened: all who were to share the commit hear of it.
        for (const append of group.appends.length > 0 ? group.appends : this.#waiting.splice(0)) append.reject(error);
        if (error instanceof EventStoreUnavailable) this.#outage.noteLoss('append', error.message);
        continue;
      }
      this.#outage.noteSuccess('append');
      this.#position = group.position;
      for (const [stream, head] of group.heads) this.#heads.set(stream, head);
      if (group.facts.length > 0) this.listener.onDurable(group);
      for (const settle of group.settle) settle();
    }
    this.#committing = undefined;
  }

  /** Erases in one transaction what waits for that. What one of them is refused for is no matter of the others. */
  async #eraseSome(): Promise<void> {
    const some = this.#erasures.splice(0, ERASED_AT_ONCE);
    if (some.length === 0) return;
    const settle: (() => void)[] = [];
    try {
      await this.tables.transact(() => {
        for (const one of some) {
          const refusal = this.#erase(one);
          settle.push(refusal === undefined ? one.resolve : () => one.reject(refusal));
        }
      });
    } catch (error) {
      for (const { reject } of some) reject(error);
      return;
    }
    this.#noteRewritten();
    for (const each of settle) each();
  }

  /** Inside the write transaction. Answers why nothing is erased. */
  #erase({ stream, revision, tail }: WaitingErasure): Error | undefined {
    const number = this.tables.findStream(stream);
    const before = number === undefined ? undefined : this.tables.findFact(number, revision);
    if (number === undefined || before === undefined) return new NotErasable(`${stream} has no revision ${revision}`);
    let after: RecordedFact;
    try {
      after = eraseTail(before, tail);
    } catch (error) {
      if (error instanceof NotErasable || error instanceof RangeError) return error;
      throw error;
    }
    if (after !== before) this.tables.rewriteFact(number, before, after);
    return undefined;
  }

  /** Inside the write transaction: takes what waits, gives each append its place or its refusal. */
  #place(group: Group): void {
    const last = this.tables.lastPosition();
    if (last !== group.position) throw new Error(`Another process has written to the log: ${last}, ${group.position}`);
    let taken = 0;
    for (let facts = 0, characters = 0; taken < this.#waiting.length; taken++) {
      const append = this.#waiting[taken]!;
      facts += append.facts.length;
      characters += append.characters;
      if (taken > 0 && (facts > COMMIT_FACTS || characters > COMMIT_CHARACTERS)) break;
    }
    group.appends.push(...this.#waiting.splice(0, taken));
    for (const append of group.appends) this.#placeAppend(group, append);
  }

  #placeAppend(group: Group, append: WaitingAppend): void {
    const { stream, expected, facts, records } = append;
    const head = group.heads.get(stream) ?? this.#heads.get(stream) ?? this.tables.findHead(stream);
    const actual = head?.revision ?? 'no-stream';
    if (actual !== expected) {
      const earlier = head && this.#findSame(head, expected, facts);
      if (earlier) group.settle.push(() => append.resolve(earlier));
      else group.settle.push(() => append.reject(new RevisionConflict(stream, expected, actual)));
      return;
    }
    const number = head?.number ?? this.tables.addStream(stream);
    let revision = head?.revision ?? -1;
    if (revision + facts.length > MAX_REVISION) throw new RangeError(`${stream} is full`);
    for (let index = 0; index < facts.length; index++) {
      const { id, type, data, metadata } = facts[index]!;
      const record = records[index]!;
      const position = ++group.position;
      revision++;
      placeFact(record, number, revision, position);
      this.tables.addFact(number, revision, position, record);
      group.facts.push({ id, type, data, metadata, stream, revision, position: positionOf(position) });
    }
    group.characters += append.characters;
    group.heads.set(stream, { number, revision });
    const appended = { revision, position: positionOf(group.position) };
    group.settle.push(() => append.resolve(appended));
  }

  /** The place of the very same facts behind `expected`, if they are there. */
  #findSame(head: Head, expected: ExpectedRevision, facts: readonly NewFact[]): Appended | undefined {
    const first = expected === 'no-stream' ? 0 : expected + 1;
    if (first + facts.length - 1 > head.revision) return undefined;
    let found: RecordedFact | undefined;
    for (let index = 0; index < facts.length; index++) {
      found = this.tables.findFact(head.number, first + index);
      if (found?.id !== facts[index]!.id) return undefined;
    }
    return found && { revision: found.revision, position: found.position };
  }
}
