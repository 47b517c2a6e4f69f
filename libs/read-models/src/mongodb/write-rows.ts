import { type AnyBulkWriteOperation, type Collection, type Db, type Filter, MongoServerError } from 'mongodb';
import { DUPLICATE_KEY, type Journal, type RowChange, type RowGroup } from './journal.js';
import type { LargeValues, RowDocument } from './large-values.js';

/** PERF: no command takes long, so that a server that is slow can be told from one that is silent. */
const COMMAND_ROWS = 1000;
/** For how long what a writer has sent may still arrive. */
const LATE_MS = 15 * 60_000;

/** Rows that a command may put that was sent and has not been heard of. */
interface Uncertain {
  readonly until: number;
  readonly rows: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * Writes the rows of groups, so that nothing counts that arrives late. A process that has lost its lease, or a command that was
 * given up, may write rows of the last group that was noted before, and those alone. Each row bears the number of its group, and
 * is written over by none with a lower one; a delete of a row that such a group put leaves an empty row with its number.
 */
export class RowWriter {
  #uncertain: Uncertain[] = [];

  /** `onProgress`: the server has taken some rows. */
  constructor(
    private readonly database: Db,
    private readonly large: LargeValues,
    private readonly journal: Pick<Journal, 'groups' | 'whyGone'>,
    private readonly onProgress: () => void,
  ) {}

  /** Says that a group may still be under way that another process has sent, or a command that failed. */
  doubt(group: RowGroup): void {
    const rows = [...group].map(([collection, changes]): [string, Set<string>] => [
      collection,
      new Set(changes.map(([id]) => id)),
    ]);
    if (rows.length > 0) this.#uncertain.push({ until: performance.now() + LATE_MS, rows: new Map(rows) });
  }

  /**
   * Writes the group that is noted. Settles when every command has ended, also where one failed: a command that still waited for
   * its turn on a connection would write over what comes after. Throws ViewsGone where the lease was lost.
   */
  async write(group: RowGroup): Promise<void> {
    this.#uncertain = this.#uncertain.filter(({ until }) => until > performance.now());
    const collections = [...group];
    // Once the others are there: a process that reads its checkpoint goes by that.
    const last = collections.splice(-1);
    for (const some of [collections, last]) await this.#writeTogether(some, this.journal.groups);
  }

  async #writeTogether(some: readonly (readonly [string, readonly RowChange[]])[], number: number): Promise<void> {
    const outcomes = await Promise.allSettled(
      some.map(([collection, changes]) => this.#writeRows(collection, changes, number)),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #writeRows(collection: string, changes: readonly RowChange[], number: number): Promise<void> {
    const rows = this.database.collection<RowDocument>(collection);
    const replaced = await this.large.named(
      rows,
      changes.map(([id]) => id),
    );
    const operations = changes.map((change) => this.#operationOf(collection, change, number));
    for (let i = 0; i < operations.length; i += COMMAND_ROWS) {
      await this.#put(rows, operations.slice(i, i + COMMAND_ROWS));
      this.onProgress();
    }
    // A group that is written once more finds its own rows.
    const kept = new Set(changes.map(([, fields]) => fields?.large));
    await this.large.remove(
      collection,
      replaced.filter(({ large }) => !kept.has(large)),
    );
  }

  async #put(rows: Collection<RowDocument>, operations: AnyBulkWriteOperation<RowDocument>[]): Promise<void> {
    const put = (): Promise<unknown> => rows.bulkWrite(operations, { ordered: true, writeConcern: { w: 1 } });
    try {
      // A row may be there that is not found: a command that was given up has put it in this moment.
      await put().catch((error: unknown) => (isDuplicate(error) ? put() : Promise.reject(error)));
    } catch (error) {
      // Or a later group has.
      throw isDuplicate(error) ? await this.journal.whyGone() : error;
    }
  }

  #operationOf(collection: string, [id, fields]: RowChange, number: number): AnyBulkWriteOperation<RowDocument> {
    // Where a later group has written the row, this finds none, and an insert meets it.
    const filter: Filter<RowDocument> = { _id: id, n: { $not: { $gt: number } } };
    if (fields !== null) return { replaceOne: { filter, replacement: { ...fields, n: number }, upsert: true } };
    if (!this.#uncertain.some(({ rows }) => rows.get(collection)?.has(id))) return { deleteOne: { filter } };
    return { replaceOne: { filter, replacement: { gone: true, n: number }, upsert: true } };
  }
}

function isDuplicate(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}
