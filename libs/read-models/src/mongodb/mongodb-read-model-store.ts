import {
  type MongoClient,
  MongoError,
  MongoServerError,
  type AnyBulkWriteOperation,
  type Collection,
  type Db,
  type Filter,
} from 'mongodb';
import { KeyedQueue } from '#kernel/keyed-queue';
import { Outage, type OutageWatch } from '#kernel/outage';
import { decodeKey, encodeKey, encodeKeyToFind, encodeRange, RANGE_END } from '../key-encoding.js';
import { ViewsLost, ViewsUnavailable } from '../read-model-errors.js';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from '../read-model-store.js';
import { connect, SELECTION_MS, type Way } from './connect.js';
import { Journal, JOURNAL_COLLECTION, NOTHING, type RowChange, type RowGroup } from './journal.js';
import { isParts, LargeValues, type RowDocument } from './large-values.js';
import { isAway, unlessSilent } from './unreachable.js';

export interface MongoReadModelOptions extends OutageWatch {
  /** For a second process, beside the one that writes. */
  readonly readOnly?: boolean;
}

const DEFAULT_DATABASE = 'annals';
/** Not for `new URL`: it may list several hosts. */
const NAMES_DATABASE = /^mongodb(\+srv)?:\/\/[^/?]+\/[^?]/;
const NAMESPACE_NOT_FOUND = 26;
/** How often a row is read again when its large value was written over meanwhile. */
const READ_ATTEMPTS = 5;
/** A server that is watched with success may still keep what it is asked to itself. */
const READ_MS = 8000;
const WRITE_MS = 8000;
/** PERF: no command takes long, so that a server that is slow can be told from one that is silent. */
const COMMAND_ROWS = 1000;
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
 * Opens the views in a MongoDB (one server, a replica set, a sharded cluster, or what speaks its protocol), in the database
 * that the URL names or in `annals`. Throws when it cannot be reached.
 */
export async function openMongoReadModels(url: string, options: MongoReadModelOptions = {}): Promise<ReadModelStore> {
  const outage = new Outage<Way>(options);
  const client = await connect(url, outage);
  try {
    const database = client.db(NAMES_DATABASE.test(url) ? undefined : DEFAULT_DATABASE);
    const names = (await database.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
    const store = new MongoReadModels(client, database, new LargeValues(database, names), outage, options);
    await store.begin();
    return store;
  } catch (error) {
    await client.close();
    throw error;
  }
}

/**
 * One document for each row. Its `_id` is the encoded key as text: MongoDB orders strings by their UTF-8 bytes, which is the
 * order of keys. (Binary values would be ordered by length first.)
 */
class MongoReadModels implements ReadModelStore {
  readonly #client: MongoClient;
  readonly #database: Db;
  readonly #large: LargeValues;
  readonly #journal: Journal;
  readonly #outage: Outage<Way>;
  readonly #isReadOnly: boolean;
  /** One group, or one drop, after another. */
  readonly #turns = new KeyedQueue<'turn'>();
  #waiting: WaitingRows | undefined;
  /** Fires when a write under way has heard nothing for too long. */
  #late: NodeJS.Timeout | undefined;
  /** Set once the database is not what was written to it: then there is nothing to write to any more. */
  #lost: ViewsLost | undefined;
  /** A group that was begun and may be there in part. */
  #unfinished: Rows | undefined;

  constructor(
    client: MongoClient,
    database: Db,
    large: LargeValues,
    outage: Outage<Way>,
    { readOnly = false }: MongoReadModelOptions,
  ) {
    this.#client = client;
    this.#database = database;
    this.#large = large;
    this.#journal = new Journal(database, large);
    this.#outage = outage;
    this.#isReadOnly = readOnly;
  }

  get failure(): Error | undefined {
    const { reason } = this.#outage;
    if (this.#lost !== undefined) return this.#lost;
    return reason === undefined ? undefined : new Error(`The views cannot be reached or written: ${reason}`);
  }

  /** Takes the views over to write, and makes whole what a crash left half written. */
  async begin(): Promise<void> {
    if (this.#isReadOnly) return;
    await this.#writeGroup(await this.#journal.takeOver());
    await this.#journal.note(NOTHING);
  }

  async get(collection: string, key: Key): Promise<string | undefined> {
    const id = idToFind(key);
    return this.#answer(() => this.#find(collection, id));
  }

  async #find(collection: string, id: string): Promise<string | undefined> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const row = await this.#rows(collection).findOne({ _id: id });
      const value = row && (await this.#large.valueOf(collection, row));
      if (value !== undefined) return value ?? undefined;
    }
    throw new Error(`${collection}: a row changes faster than it can be read`);
  }

  async getMany(collection: string, keys: readonly Key[]): Promise<(string | undefined)[]> {
    if (keys.length === 0) return [];
    const ids = keys.map(idToFind);
    return this.#answer(async () => {
      const rows = await this.#rows(collection)
        .find({ _id: { $in: [...new Set(ids)] } })
        .toArray();
      const found = new Map(rows.map(({ _id: id, ...row }) => [id, { _id: id, ...row }]));
      return Promise.all(
        ids.map((id) => {
          const row = found.get(id);
          return row && this.#valueOf(collection, row);
        }),
      );
    });
  }

  async scan(collection: string, options: ScanOptions): Promise<Row[]> {
    const { reverse = false, limit } = options;
    const { from, to } = encodeRange(options);
    if (from >= to || limit <= 0) return [];
    const range: Filter<RowDocument> = {
      _id: to === RANGE_END ? { $gte: textOf(from) } : { $gte: textOf(from), $lt: textOf(to) },
    };
    return this.#answer(async () => {
      const documents = await this.#rows(collection)
        .find(range)
        .sort({ _id: reverse ? -1 : 1 })
        .limit(limit)
        .toArray();
      const rows = documents.map(async (row) => {
        const value = await this.#valueOf(collection, row);
        return value === undefined ? undefined : { key: keyOf(row), value };
      });
      return (await Promise.all(rows)).filter((row) => row !== undefined);
    });
  }

  /** PERF: what comes while the server is at work goes to it as one group: that costs two round trips however much it is. */
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

  async collections(): Promise<string[]> {
    return this.#answer(async () => {
      const infos = await this.#database.listCollections({}, { nameOnly: true }).toArray();
      const names = infos.map(({ name }) => name).filter((name) => !isParts(name) && !isInternal(name));
      const filled = await Promise.all(
        names.map(async (name) => (await this.#rows(name).findOne({}, { projection: { _id: 1 } })) !== null),
      );
      return names.filter((_, i) => filled[i]).sort();
    });
  }

  /** Writes reach the majority's journals in order: when this last one has, all have. */
  async flush(): Promise<void> {
    if (this.#isReadOnly || this.#lost !== undefined) return;
    await this.#inTurn(async () => {
      await this.#finish();
      await this.#journal.note(NOTHING, true);
    });
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#client.close();
    }
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

  async #writeGroup(group: RowGroup): Promise<void> {
    await Promise.all([...group].map(([collection, changes]) => this.#writeRows(collection, changes)));
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

  async #valueOf(collection: string, row: RowDocument): Promise<string | undefined> {
    return (await this.#large.valueOf(collection, row)) ?? this.#find(collection, row._id);
  }

  /** Runs what reads. Throws ViewsUnavailable where the server does not answer. */
  async #answer<T>(read: () => Promise<T>): Promise<T> {
    // Whoever came first has waited for another member to take its place.
    const { reason, lostMs } = this.#outage;
    if (this.#outage.isLost('connection') && lostMs > SELECTION_MS) throw new ViewsUnavailable(`still lost: ${reason}`);
    try {
      return await unlessSilent(READ_MS, read());
    } catch (error) {
      throw isAway(error) ? new ViewsUnavailable(error.message, { cause: error }) : error;
    }
  }

  /** Runs what writes, when all before it has ended, and notes whether the server takes it. */
  #inTurn(write: () => Promise<void>): Promise<void> {
    return this.#turns.run('turn', async () => {
      if (this.#isReadOnly) throw new Error('These views are not open for writing');
      if (this.#lost !== undefined) throw this.#lost;
      this.#late = setTimeout(() => {
        this.#outage.noteLoss('write', `the database has taken no rows for ${WRITE_MS / 1000} seconds`);
      }, WRITE_MS);
      try {
        await write();
        this.#outage.noteSuccess('write');
      } catch (error) {
        // Told by whoever ends the process, and where the connection is lost by who watches that.
        if (error instanceof ViewsLost) this.#lost = error;
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

function isInternal(name: string): boolean {
  return name === JOURNAL_COLLECTION || name.startsWith('system.');
}

function idOf(key: Key): string {
  return textOf(encodeKey(key));
}

function idToFind(key: Key): string {
  return textOf(encodeKeyToFind(key));
}

function keyOf({ _id: id }: RowDocument): string[] {
  return decodeKey(bytesOf(id));
}

/** Byte strings and the text they are in UTF-8. Most are ASCII, where both are the same. */
function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
