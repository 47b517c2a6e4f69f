import {
  MongoClient,
  MongoServerError,
  type AnyBulkWriteOperation,
  type Collection,
  type Db,
  type Filter,
} from 'mongodb';
import { decodeKey, encodeKey, encodeKeyToFind, encodeRange, RANGE_END } from '../key-encoding.js';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from '../read-model-store.js';
import { isParts, LargeValues, type RowDocument } from './large-values.js';

const DEFAULT_DATABASE = 'annals';
/** Not for `new URL`: it may list several hosts. */
const NAMES_DATABASE = /^mongodb(\+srv)?:\/\/[^/?]+\/[^?]/;
/** Written with the concern that `flush` promises; holds no rows. */
const FLUSH_COLLECTION = 'annals.flush';
const NAMESPACE_NOT_FOUND = 26;
/** How often a row is read again when its large value was written over meanwhile. */
const READ_ATTEMPTS = 5;

/**
 * Opens the views in a MongoDB (one server, a replica set, a sharded cluster, or what speaks its protocol), in the database
 * that the URL names or in `annals`. Throws when it cannot be reached.
 */
export async function openMongoReadModels(url: string): Promise<ReadModelStore> {
  const client = new MongoClient(url, {
    appName: 'annals',
    readPreference: 'primary',
    serverSelectionTimeoutMS: 10_000,
  });
  try {
    await client.connect();
    const database = client.db(NAMES_DATABASE.test(url) ? undefined : DEFAULT_DATABASE);
    const names = (await database.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
    return new MongoReadModels(client, database, new LargeValues(database, names));
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

  constructor(client: MongoClient, database: Db, large: LargeValues) {
    this.#client = client;
    this.#database = database;
    this.#large = large;
  }

  async get(collection: string, key: Key): Promise<string | undefined> {
    const id = idToFind(key);
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
  }

  async scan(collection: string, options: ScanOptions): Promise<Row[]> {
    const { reverse = false, limit } = options;
    const { from, to } = encodeRange(options);
    if (from >= to || limit <= 0) return [];
    const range: Filter<RowDocument> = {
      _id: to === RANGE_END ? { $gte: textOf(from) } : { $gte: textOf(from), $lt: textOf(to) },
    };
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
  }

  /** Collections side by side, then the one of the last write: what it says has been done is there by then. */
  async write(writes: readonly Write[]): Promise<void> {
    const last = writes.at(-1);
    if (last === undefined) return;
    const byCollection = new Map<string, Map<string, string | null>>();
    for (const { collection, key, value } of writes) {
      let rows = byCollection.get(collection);
      if (rows === undefined) byCollection.set(collection, (rows = new Map()));
      const id = idOf(key);
      rows.delete(id); // a later write of a key takes the later place too
      rows.set(id, value);
    }
    const final = byCollection.get(last.collection)!;
    byCollection.delete(last.collection);
    await Promise.all([...byCollection].map(([name, rows]) => this.#writeRows(name, rows)));
    await this.#writeRows(last.collection, final);
  }

  async drop(collection: string): Promise<void> {
    try {
      await this.#rows(collection).drop();
    } catch (error) {
      if (!(error instanceof MongoServerError && error.code === NAMESPACE_NOT_FOUND)) throw error;
    }
    await this.#large.drop(collection);
  }

  async collections(): Promise<string[]> {
    const infos = await this.#database.listCollections({}, { nameOnly: true }).toArray();
    const names = infos.map(({ name }) => name).filter((name) => !isParts(name) && !isInternal(name));
    const filled = await Promise.all(
      names.map(async (name) => (await this.#rows(name).findOne({}, { projection: { _id: 1 } })) !== null),
    );
    return names.filter((_, i) => filled[i]).sort();
  }

  /** Writes reach the majority's journals in order: when this last one has, all have. */
  async flush(): Promise<void> {
    await this.#database
      .collection<RowDocument>(FLUSH_COLLECTION)
      .replaceOne({ _id: 'flush' }, { v: '' }, { upsert: true, writeConcern: { w: 'majority', journal: true } });
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#client.close();
  }

  async #writeRows(collection: string, values: ReadonlyMap<string, string | null>): Promise<void> {
    const rows = this.#rows(collection);
    const replaced = await this.#large.named(rows, [...values.keys()]);
    const operations: AnyBulkWriteOperation<RowDocument>[] = [];
    for (const [id, value] of values) {
      const filter = { _id: id };
      if (value === null) operations.push({ deleteOne: { filter } });
      else
        operations.push({
          replaceOne: { filter, replacement: await this.#large.fieldsOf(collection, value), upsert: true },
        });
    }
    await rows.bulkWrite(operations, { ordered: true, writeConcern: { w: 1 } });
    await this.#large.remove(collection, replaced);
  }

  async #valueOf(collection: string, row: RowDocument): Promise<string | undefined> {
    return (await this.#large.valueOf(collection, row)) ?? this.get(collection, keyOf(row));
  }

  #rows(collection: string): Collection<RowDocument> {
    return this.#database.collection<RowDocument>(collection);
  }
}

function isInternal(name: string): boolean {
  return name === FLUSH_COLLECTION || name.startsWith('system.');
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
