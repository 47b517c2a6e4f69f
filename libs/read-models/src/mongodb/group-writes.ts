import { MongoError, MongoServerError, type AnyBulkWriteOperation, type Collection, type Db } from 'mongodb';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Outage } from '#kernel/outage';
import { ViewsGone, ViewsUnavailable } from '../read-model-errors.js';
import type { Write } from '../read-model-store.js';
import type { Way } from './connect.js';
import { Journal, NOTHING, type RowChange, type RowGroup } from './journal.js';
import type { LargeValues, RowDocument } from './large-values.js';
import { idOf } from './row-ids.js';
import { isAway } from './unreachable.js';

const NAMESPACE_NOT_FOUND = 26;
/** A server that is watched with success may still take no rows. */
const WRITE_MS = 8000;
/** PERF: no command takes long, so that a server that is slow can be told from one that is silent. */
const COMMAND_ROWS = 1000;
/** How often it is looked whether the database is still what was written to it: rows that are gone look like users that are. */
const CHECK_MS = 2000;
/** What one group takes before the next is begun. */
const GROUP_CHARACTERS = 8 * 1024 * 1024;

/** Rows to write: by collection and id, null to delete. */
type Rows = Map<string, Map<string, string | null>>;

/** Calls of `write` that go to the server together. */
interface WaitingRows {
  readonly rows: Rows;
  characters: number;
  /** Settles with their group. */
  readonly done: Promise<void>;
}

/**
 * The one writer of the views. PERF: what comes while the server is at work goes to it as one group: that costs two round trips
 * however much it is. A group is whole before anything else is written (`journal.ts`).
 */
export class GroupWrites {
  readonly #database: Db;
  readonly #large: LargeValues;
  readonly #journal: Journal;
  readonly #outage: Outage<Way>;
  /** One group, or one drop, after another. */
  readonly #turns = new KeyedQueue<'turn'>();
  #waiting: WaitingRows | undefined;
  /** Fires when a write under way has heard nothing for too long. */
  #late: NodeJS.Timeout | undefined;
  #gone: ViewsGone | undefined;
  /** A group that was begun and may be there in part. */
  #unfinished: Rows | undefined;
  #checks: NodeJS.Timeout | undefined;

  /** `onGone`: told once of what `gone` says from then on. */
  constructor(
    database: Db,
    large: LargeValues,
    outage: Outage<Way>,
    private readonly onGone?: (error: ViewsGone) => void,
  ) {
    this.#database = database;
    this.#large = large;
    this.#journal = new Journal(database, large);
    this.#outage = outage;
  }

  /** Set once the database is not what was written to it: then there is nothing to write to any more. */
  get gone(): ViewsGone | undefined {
    return this.#gone;
  }

  /** Takes the views over to write, and makes whole what a crash left half written. */
  async begin(): Promise<void> {
    await this.#writeGroup(await this.#journal.takeOver());
    await this.#journal.note(NOTHING);
    this.#checks = setInterval(() => void this.#check(), CHECK_MS).unref();
  }

  endChecks(): void {
    clearInterval(this.#checks);
  }

  /** As `ReadModelStore.write`. */
  async write(writes: readonly Write[]): Promise<void> {
    const ids = writes.map(({ key }) => idOf(key));
    if (writes.length === 0) return;
    const waiting = (this.#waiting ??= this.#commitLater());
    for (const [i, { collection, value }] of writes.entries()) {
      let rows = waiting.rows.get(collection);
      if (rows === undefined) waiting.rows.set(collection, (rows = new Map()));
      rows.set(ids[i]!, value);
      waiting.characters += value?.length ?? 0;
    }
    if (waiting.characters > GROUP_CHARACTERS) this.#waiting = undefined;
    await waiting.done;
  }

  /** As `ReadModelStore.drop`. */
  async drop(collection: string): Promise<void> {
    await this.#inTurn(async () => {
      await this.#finish();
      // Else a crash would bring back the rows of the last group.
      if (this.#journal.holds(collection)) await this.#journal.note(NOTHING);
      try {
        await this.#rows(collection).drop();
      } catch (error) {
        if (!(error instanceof MongoServerError && error.code === NAMESPACE_NOT_FOUND)) throw error;
      }
      await this.#large.drop(collection);
    });
  }

  /** As `ReadModelStore.flush`: writes reach the majority's journals in order, so when this last one has, all have. */
  async flush(): Promise<void> {
    if (this.#gone !== undefined) return;
    await this.#inTurn(async () => {
      await this.#finish();
      await this.#journal.note(NOTHING, true);
    });
  }

  #commitLater(): WaitingRows {
    const rows: Rows = new Map();
    const done = this.#inTurn(async () => {
      await Promise.resolve(); // the first call of `write` has put its rows by then
      if (this.#waiting?.rows === rows) this.#waiting = undefined;
      await this.#finish();
      this.#unfinished = rows;
      await this.#finish();
    });
    return { rows, characters: 0, done };
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
    await this.#writeGroup(group);
    this.#unfinished = undefined;
  }

  /**
   * Settles when every command has ended, also where one failed: a command that still waited for its turn on a connection
   * would write over what comes after.
   */
  async #writeGroup(group: RowGroup): Promise<void> {
    const outcomes = await Promise.allSettled(
      [...group].map(([collection, changes]) => this.#writeRows(collection, changes)),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #writeRows(collection: string, changes: readonly RowChange[]): Promise<void> {
    const rows = this.#rows(collection);
    const replaced = await this.#large.named(
      rows,
      changes.map(([id]) => id),
    );
    const operations = changes.map(([id, fields]): AnyBulkWriteOperation<RowDocument> => {
      const filter = { _id: id };
      return fields === null
        ? { deleteOne: { filter } }
        : { replaceOne: { filter, replacement: fields, upsert: true } };
    });
    for (let i = 0; i < operations.length; i += COMMAND_ROWS) {
      await rows.bulkWrite(operations.slice(i, i + COMMAND_ROWS), { ordered: true, writeConcern: { w: 1 } });
      this.#late?.refresh();
    }
    // A group that is written once more finds its own rows.
    const kept = new Set(changes.map(([, fields]) => fields?.large));
    await this.#large.remove(
      collection,
      replaced.filter(({ large }) => !kept.has(large)),
    );
  }

  async #check(): Promise<void> {
    if (this.#gone !== undefined) return;
    await this.#journal.check().catch((error: unknown) => this.#noteGone(error));
  }

  /** What is away is told by who watches the connection. */
  #noteGone(error: unknown): void {
    if (!(error instanceof ViewsGone) || this.#gone !== undefined) return;
    this.#gone = error;
    this.onGone?.(error);
  }

  /** Runs what writes, when all before it has ended, and notes whether the server takes it. */
  #inTurn(write: () => Promise<void>): Promise<void> {
    return this.#turns.run('turn', async () => {
      if (this.#gone !== undefined) throw this.#gone;
      this.#late = setTimeout(() => {
        this.#outage.noteLoss('write', `the database has taken no rows for ${WRITE_MS / 1000} seconds`);
      }, WRITE_MS);
      try {
        await write();
        this.#outage.noteSuccess('write');
      } catch (error) {
        // Where the connection is lost, who watches that tells it.
        if (error instanceof ViewsGone) this.#noteGone(error);
        else if (!isAway(error)) this.#outage.noteLoss('write', error instanceof Error ? error.message : String(error));
        throw isAway(error) || error instanceof MongoError
          ? new ViewsUnavailable(error.message, { cause: error })
          : error;
      } finally {
        clearTimeout(this.#late);
      }
    });
  }

  #rows(collection: string): Collection<RowDocument> {
    return this.#database.collection<RowDocument>(collection);
  }
}
