import { type Db, MongoError } from 'mongodb';
import { KeyedQueue } from '#kernel/keyed-queue';
import { messageOf } from '#kernel/message-of';
import type { Outage } from '#kernel/outage';
import { SharedRuns } from '#kernel/shared-runs';
import { ViewsGone, ViewsUnavailable } from '../read-model-errors.js';
import type { Write } from '../read-model-store.js';
import type { Way } from './connect.js';
import { type Journal, NOTHING, type RowChange, type RowGroup } from './journal.js';
import { KnownCollections } from './known-collections.js';
import type { LargeValues, RowDocument } from './large-values.js';
import { hasOwnCollections, nameIn } from './life-names.js';
import type { MongoParts } from './mongo-parts.js';
import type { RenewedClient } from './renewed-client.js';
import { isAway, unlessSilent } from './unreachable.js';
import { WaitingRows, WrittenTogether } from './waiting-rows.js';
import { WatchedLease } from './watch-lease.js';
import { RowWriter } from './write-rows.js';

/** A server that is watched with success may still take no rows. */
const WRITE_MS = 8000;
/** And so long no command takes: it is one that is never answered (`renewed-client.ts`). */
const STUCK_MS = 120_000;
/**
 * How often the owner of the lease says that it is there; and looks whether the database is still what was written to it: rows
 * that are gone look like users that are.
 */
const BEAT_MS = 1500;
const OLDER = 'another version wrote the views';
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
  readonly #client: RenewedClient;
  readonly #database: Db;
  readonly #large: LargeValues;
  readonly #journal: Journal;
  readonly #collections: KnownCollections;
  readonly #rows: RowWriter;
  readonly #outage: Outage<Way>;
  /** One group, or one drop, after another. */
  readonly #turns = new KeyedQueue<'turn'>();
  #waiting: WaitingCalls | undefined;
  /** What fires when a write under way has heard nothing for too long. */
  #late: NodeJS.Timeout[] = [];
  #gone: ViewsGone | undefined;
  /** A group that was begun and may be there in part. */
  #unfinished: WaitingRows['rows'] | undefined;
  /** What of it may still be carried out, though it failed or is not waited for any more. */
  #sent: RowGroup | undefined;
  #beats: NodeJS.Timeout | undefined;
  readonly #lease: WatchedLease;
  /** Looks whether the database is what was written to it. */
  readonly #looks = new SharedRuns(() => this.#confirmNow());

  /** `watch`: see MongoReadModelOptions. */
  constructor(
    { client, database, large, journal, outage }: MongoParts,
    private readonly watch: WriterWatch,
  ) {
    this.#client = client;
    this.#database = database;
    this.#large = large;
    this.#journal = journal;
    this.#lease = new WatchedLease(watch.holder);
    this.#collections = new KnownCollections(database, this.#journal, client);
    this.#rows = new RowWriter(database, large, this.#journal, () => {
      for (const timer of this.#late) timer.refresh();
    });
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
      if (!this.#lease.isFree(lease)) return false;
      const left = await this.#journal.take(lease);
      if (left === undefined) return false;
      const why = hasOwnCollections(this.#journal.life) ? await this.#collections.take() : OLDER;
      if (why === undefined) await this.#complete(left);
      else await this.#beginAnew(why);
      this.#beats = setInterval(() => void this.#beat(), BEAT_MS).unref();
      return true;
    });
  }

  /** Writes what the former owner may have left half written. */
  async #complete(left: RowGroup): Promise<void> {
    this.#rows.doubt(left);
    await this.#rows.write(left);
    this.#collections.wrote(left.keys());
    await this.#journal.note(NOTHING);
  }

  /** With one note the views that are there count no more, nor what was left of them: then they may go. */
  async #beginAnew(why: string): Promise<void> {
    this.#journal.beginLife();
    await this.#journal.note(NOTHING);
    await this.#collections.take();
    this.watch.onThrownAway?.(`${why}: all are rebuilt from the log`);
  }

  /** As `ReadModelStore.confirm`. PERF: who asks while an answer is on its way shares the next one. */
  confirm(): Promise<void> {
    return this.#looks.run();
  }

  async #confirmNow(): Promise<void> {
    try {
      // Whoever asks next waits for this one.
      await unlessSilent(
        WRITE_MS,
        this.#look(() => this.#journal.check()),
      );
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
    const call = new WrittenTogether(writes, this.#journal.life);
    if (this.#waiting?.group.canTake(call) === false) this.#waiting = undefined;
    const waiting = (this.#waiting ??= this.#commitLater());
    waiting.group.take(call);
    if (waiting.group.characters > GROUP_CHARACTERS) this.#waiting = undefined;
    await waiting.done;
  }

  /** As `ReadModelStore.drop`. */
  async drop(collection: string): Promise<void> {
    const name = nameIn(this.#journal.life, collection);
    await this.#inTurn(async () => {
      await this.#finish();
      // Else a crash would bring back the rows of the last group; and only who has the lease may do it.
      await this.#journal.note(NOTHING);
      await this.#collections.dropping(name, async () => {
        // The driver takes one that is not there for dropped.
        await this.#database.collection<RowDocument>(name).drop();
        await this.#large.drop(name);
      });
    });
  }

  /** As `ReadModelStore.flush`: writes reach the majority's journals in order, so when this last one has, all have. Who reads what another process writes notes nothing. */
  async flush(): Promise<void> {
    if (this.#gone !== undefined) return;
    await this.#inTurn(async () => {
      if (!this.isOwner) return this.#journal.keep();
      await this.#finish();
      await this.#journal.note(NOTHING, true);
    });
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
    if (this.#sent !== undefined) this.#rows.doubt(this.#sent);
    const group = new Map<string, RowChange[]>();
    for (const [collection, rows] of this.#unfinished) {
      const changes: RowChange[] = [];
      for (const [id, value] of rows) {
        changes.push([id, value === null ? null : await this.#large.fieldsOf(collection, value)]);
      }
      group.set(collection, changes);
    }
    await this.#journal.note(group);
    this.#sent = group;
    await this.#rows.write(group);
    this.#sent = undefined;
    this.#collections.wrote(group.keys());
    this.#unfinished = undefined;
  }

  async #beat(): Promise<void> {
    if (this.#gone !== undefined) return;
    // As they were listed while this process had the lease, as it turns out: whose they are has none.
    const { strays } = this.#collections;
    try {
      await this.#look(() => this.#journal.renew());
      await this.#collections.dropStrays(strays);
    } catch (error) {
      this.#noteGone(error);
    }
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
      const late = `the database has taken no rows for ${WRITE_MS / 1000} seconds`;
      this.#late = [
        setTimeout(() => this.#outage.noteLoss('write', late), WRITE_MS),
        setTimeout(() => this.#client.renew(), STUCK_MS),
      ];
      try {
        const written = await this.#client.unlessRenewed(write());
        this.#outage.noteSuccess('write');
        return written;
      } catch (error) {
        // Where the connection is lost, who watches that tells it.
        if (error instanceof ViewsGone) this.#noteGone(error);
        else if (!isAway(error) && !(error instanceof ViewsUnavailable))
          this.#outage.noteLoss('write', messageOf(error));
        throw isAway(error) || error instanceof MongoError
          ? new ViewsUnavailable(error.message, { cause: error })
          : error;
      } finally {
        for (const timer of this.#late) clearTimeout(timer);
      }
    });
  }
}
