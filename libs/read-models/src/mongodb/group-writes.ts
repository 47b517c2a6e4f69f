import { type Db, MongoError } from 'mongodb';
import { KeyedQueue } from '#kernel/keyed-queue';
import { messageOf } from '#kernel/message-of';
import type { Outage } from '#kernel/outage';
import { ViewsGone, ViewsUnavailable } from '../read-model-errors.js';
import type { Write } from '../read-model-store.js';
import type { Way } from './connect.js';
import { Journal, type LeaseState, NOTHING, type RowChange } from './journal.js';
import { KnownCollections } from './known-collections.js';
import type { LargeValues, RowDocument } from './large-values.js';
import { isAway } from './unreachable.js';
import { WaitingRows, WrittenTogether } from './waiting-rows.js';
import { RowWriter } from './write-rows.js';

/** A server that is watched with success may still take no rows. */
const WRITE_MS = 8000;
/**
 * How often the owner of the lease says that it is there; and looks whether the database is still what was written to it: rows
 * that are gone look like users that are.
 */
const BEAT_MS = 1500;
/** Who says nothing for so long, to whoever asks all the time, has lost the lease. */
const LEASE_MS = 6000;
/** Two looks that are further apart than this are not "all the time": the owner could not reach the database either. */
const LOOK_GAP_MS = 2000;
/** What one group takes before the next is begun. */
const GROUP_CHARACTERS = 8 * 1024 * 1024;

/** Who writes, and who hears of it: see MongoReadModelOptions. */
export interface WriterWatch {
  readonly holder?: string;
  readonly onGone?: (error: ViewsGone) => void;
  readonly onThrownAway?: (message: string) => void;
}

/** Calls of `write` that go to the server together, and what settles with their group. */
interface WaitingCalls {
  readonly group: WaitingRows;
  readonly done: Promise<void>;
}

/**
 * The one writer of the views. PERF: what comes while the server is at work goes to it as one group: that costs three round trips
 * however much it is. A group is whole before anything else is written (`journal.ts`).
 */
export class GroupWrites {
  readonly #database: Db;
  readonly #large: LargeValues;
  readonly #journal: Journal;
  readonly #collections: KnownCollections;
  readonly #rows: RowWriter;
  readonly #outage: Outage<Way>;
  /** One group, or one drop, after another. */
  readonly #turns = new KeyedQueue<'turn'>();
  #waiting: WaitingCalls | undefined;
  /** Fires when a write under way has heard nothing for too long. */
  #late: NodeJS.Timeout | undefined;
  #gone: ViewsGone | undefined;
  /** A group that was begun and may be there in part. */
  #unfinished: WaitingRows['rows'] | undefined;
  #beats: NodeJS.Timeout | undefined;
  /** The lease of another process as it was seen first, and when; and when it was last looked at. */
  #seen: { readonly lease: LeaseState; readonly since: number; last: number } | undefined;

  /** Settles with the last look whether the database is what was written to it. */
  #answer: Promise<void> = Promise.resolve();
  /** That of the look after it, which has not begun. */
  #nextAnswer: Promise<void> | undefined;

  /** `watch`: see MongoReadModelOptions. */
  constructor(
    database: Db,
    large: LargeValues,
    outage: Outage<Way>,
    private readonly watch: WriterWatch,
  ) {
    this.#database = database;
    this.#large = large;
    this.#journal = new Journal(database, large, watch.holder);
    this.#collections = new KnownCollections(database, this.#journal);
    this.#rows = new RowWriter(database, large, this.#journal, () => this.#late?.refresh());
    this.#outage = outage;
  }

  /** Set once the database is not what was written to it: then there is nothing to write to any more. */
  get gone(): ViewsGone | undefined {
    return this.#gone;
  }

  /** Whether this process has, or had, the lease. */
  get hasBegun(): boolean {
    return this.#beats !== undefined;
  }

  /** Whether this process has the lease. */
  get isOwner(): boolean {
    return this.#beats !== undefined && this.#gone === undefined;
  }

  /** As `ReadModelStore.takeLease`. */
  async takeLease(): Promise<boolean> {
    if (this.#beats !== undefined) return this.isOwner;
    return this.#inTurn(async () => {
      const lease = await this.#journal.look();
      if (!this.#isFree(lease)) return false;
      const left = await this.#journal.take(lease);
      if (left === undefined) return false;
      const why = await this.#collections.take();
      if (why !== undefined) this.watch.onThrownAway?.(`${why}: all are rebuilt from the log`);
      const group = why === undefined ? left : NOTHING;
      this.#rows.doubt(left);
      await this.#rows.write(group);
      this.#collections.wrote(group.keys());
      await this.#journal.note(NOTHING);
      this.#beats = setInterval(() => void this.#beat(), BEAT_MS).unref();
      return true;
    });
  }

  /**
   * As `ReadModelStore.confirm`. PERF: who asks while an answer is on its way cannot go by that, and shares the next one with all
   * others who do.
   */
  confirm(): Promise<void> {
    this.#nextAnswer ??= this.#answer.then(() => {
      this.#nextAnswer = undefined;
      const answer = this.#confirmNow();
      this.#answer = answer.catch(() => {});
      return answer;
    });
    return this.#nextAnswer;
  }

  async #confirmNow(): Promise<void> {
    try {
      await this.#look(() => this.#journal.check());
    } catch (error) {
      if (this.#beats !== undefined) this.#noteGone(error);
      throw error instanceof ViewsGone ? new ViewsUnavailable(error.message, { cause: error }) : error;
    }
  }

  /** Gives the lease back. */
  async end(): Promise<void> {
    if (this.#beats === undefined) return;
    try {
      await this.flush();
    } finally {
      clearInterval(this.#beats);
    }
    if (this.#gone === undefined) await this.#inTurn(() => this.#journal.release());
  }

  /** As `ReadModelStore.write`. */
  async write(writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return;
    const call = new WrittenTogether(writes);
    if (this.#waiting?.group.canTake(call) === false) this.#waiting = undefined;
    const waiting = (this.#waiting ??= this.#commitLater());
    waiting.group.take(call);
    if (waiting.group.characters > GROUP_CHARACTERS) this.#waiting = undefined;
    await waiting.done;
  }

  /** As `ReadModelStore.drop`. */
  async drop(collection: string): Promise<void> {
    await this.#inTurn(async () => {
      await this.#finish();
      // Else a crash would bring back the rows of the last group; and only who has the lease may do it.
      await this.#journal.note(NOTHING);
      await this.#collections.dropping(collection, async () => {
        // The driver takes one that is not there for dropped.
        await this.#database.collection<RowDocument>(collection).drop();
        await this.#large.drop(collection);
      });
    });
  }

  /** As `ReadModelStore.flush`: writes reach the majority's journals in order, so when this last one has, all have. */
  async flush(): Promise<void> {
    if (!this.isOwner) return;
    await this.#inTurn(async () => {
      await this.#finish();
      await this.#journal.note(NOTHING, true);
    });
  }

  /** Whether there is no owner, or none that has been heard of for long enough. */
  #isFree(lease: LeaseState | undefined): boolean {
    if (lease === undefined || lease.owner === null) return true;
    const now = performance.now();
    const seen = this.#seen;
    // At the first look alone: two that bear one name all the same would take it from each other for ever.
    if (seen === undefined && this.watch.holder !== undefined && lease.holder === this.watch.holder) return true;
    const isSame =
      seen !== undefined &&
      now - seen.last < LOOK_GAP_MS &&
      seen.lease.owner === lease.owner &&
      seen.lease.groups === lease.groups &&
      seen.lease.beats === lease.beats;
    if (!isSame) this.#seen = { lease, since: now, last: now };
    else seen.last = now;
    return isSame && now - seen.since >= LEASE_MS;
  }

  #commitLater(): WaitingCalls {
    const group = new WaitingRows();
    const done = this.#inTurn(async () => {
      await Promise.resolve(); // the first call of `write` has put its rows by then
      if (this.#waiting?.group === group) this.#waiting = undefined;
      await this.#finish();
      this.#unfinished = group.rows;
      await this.#finish();
    });
    return { group, done };
  }

  /** Writes a group that was begun, before anything else is: what a failed call left is whole before its rows are read anew. */
  async #finish(): Promise<void> {
    if (this.#unfinished === undefined) return;
    const group = new Map<string, RowChange[]>();
    for (const [collection, rows] of this.#unfinished) {
      const changes: RowChange[] = [];
      for (const [id, value] of rows) {
        changes.push([id, value === null ? null : await this.#large.fieldsOf(collection, value)]);
      }
      group.set(collection, changes);
    }
    await this.#journal.note(group);
    try {
      await this.#rows.write(group);
    } catch (error) {
      this.#rows.doubt(group);
      throw error;
    }
    this.#collections.wrote(group.keys());
    this.#unfinished = undefined;
  }

  async #beat(): Promise<void> {
    if (this.#gone !== undefined) return;
    await this.#look(() => this.#journal.renew()).catch((error: unknown) => this.#noteGone(error));
  }

  /** Throws ViewsGone where something that was written is not there. `askJournal`: how that is asked by who has the lease. */
  async #look(askJournal: () => Promise<void>): Promise<void> {
    const looks =
      this.#beats === undefined
        ? [this.#journal.checkGoesOn(), this.#collections.check()]
        : [askJournal(), this.#collections.look()];
    // What the journal says comes first: of a database that was dropped no collection is there either.
    for (const look of await Promise.allSettled(looks)) if (look.status === 'rejected') throw look.reason;
  }

  /** What is away is told by who watches the connection. */
  #noteGone(error: unknown): void {
    if (!(error instanceof ViewsGone) || this.#gone !== undefined) return;
    this.#gone = error;
    this.watch.onGone?.(error);
  }

  /** Runs what writes, when all before it has ended, and notes whether the server takes it. */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    return this.#turns.run('turn', async () => {
      if (this.#gone !== undefined) throw this.#gone;
      this.#late = setTimeout(() => {
        this.#outage.noteLoss('write', `the database has taken no rows for ${WRITE_MS / 1000} seconds`);
      }, WRITE_MS);
      try {
        const written = await write();
        this.#outage.noteSuccess('write');
        return written;
      } catch (error) {
        // Where the connection is lost, who watches that tells it.
        if (error instanceof ViewsGone) this.#noteGone(error);
        else if (!isAway(error)) this.#outage.noteLoss('write', messageOf(error));
        throw isAway(error) || error instanceof MongoError
          ? new ViewsUnavailable(error.message, { cause: error })
          : error;
      } finally {
        clearTimeout(this.#late);
      }
    });
  }
}
