import type { Collection, Db, Filter } from 'mongodb';
import { Outage, type OutageWatch } from '#kernel/outage';
import { waitForServer } from '#kernel/wait-for-server';
import { encodeRange, RANGE_END } from '../key-encoding.js';
import { type ViewsGone, ViewsUnavailable } from '../read-model-errors.js';
import type { Key, ReadModelStore, Row, ScanOptions, Write } from '../read-model-store.js';
import { clientOf, watchConnection, type Way } from './connect.js';
import { GroupWrites, type WriterWatch } from './group-writes.js';
import { Journal, JOURNAL_COLLECTION } from './journal.js';
import { judgeSilence } from './judge-silence.js';
import { LargeValues, type RowDocument } from './large-values.js';
import { collectionOf, nameIn } from './life-names.js';
import type { MongoParts } from './mongo-parts.js';
import { PatientReads } from './patient-reads.js';
import { RenewedClient } from './renewed-client.js';
import { idToFind, keyOf, textOf } from './row-ids.js';

export interface MongoReadModelOptions extends OutageWatch, WriterWatch {
  /** For a process that never takes the lease. */
  readonly readOnly?: boolean;
  /**
   * A name that no two processes bear at one time, the same when this one is started again: it need not wait then until the
   * lease has run out of the one before, which was killed.
   */
  readonly holder?: string;
  /** For how long a server is waited for that is not there yet; ten seconds by default. */
  readonly waitMs?: number;
  readonly onWaiting?: (reason: string) => void;
  /** Told once that the database is not what this process wrote to it, or that its lease is lost: only a process that begins anew mends that. */
  readonly onGone?: (error: ViewsGone) => void;
  /** Told that views that lack something were thrown away when the lease was taken: the caller finds them empty. */
  readonly onThrownAway?: (message: string) => void;
}

const DEFAULT_DATABASE = 'annals';
/** Not for `new URL`: it may list several hosts. */
const NAMES_DATABASE = /^mongodb(\+srv)?:\/\/[^/?]+\/[^?]/;
/** How often a row is read again when its large value was written over meanwhile. */
const READ_ATTEMPTS = 5;

/** For how long a database is waited for that is not there yet, unless the caller says it. */
const WAIT_MS = 10_000;

/**
 * Opens the views in a MongoDB (one server, a replica set, a sharded cluster, or what speaks its protocol), in the database
 * that the URL names or in `annals`, to read, and to write with the lease. Waits for a server that is not there yet. Throws
 * ViewsMisconfigured where waiting does not help, ViewsUnavailable where it has not helped.
 */
export async function openMongoReadModels(url: string, options: MongoReadModelOptions = {}): Promise<ReadModelStore> {
  const outage = new Outage<Way>(options);
  const client = clientOf(url);
  const renewed = new RenewedClient(client);
  try {
    const { waitMs = WAIT_MS, onWaiting } = options;
    return await waitForServer(
      async () => {
        await client.connect();
        const database = client.db(NAMES_DATABASE.test(url) ? undefined : DEFAULT_DATABASE);
        const names = (await database.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
        const large = new LargeValues(database, names);
        const { readOnly = false } = options;
        const journal = new Journal(database, large, options.holder);
        const parts = { client: renewed, database, large, journal, outage };
        const writes = readOnly ? undefined : new GroupWrites(parts, options);
        watchConnection(client, outage);
        return new MongoReadModels(parts, writes);
      },
      (error) => judgeSilence(url, error),
      { waitMs, onWaiting },
    );
  } catch (error) {
    await renewed.close();
    throw error;
  }
}

/** One document for each row; its `_id` is the encoded key (`row-ids.ts`). */
class MongoReadModels implements ReadModelStore {
  readonly #client: RenewedClient;
  readonly #database: Db;
  readonly #large: LargeValues;
  readonly #journal: Journal;
  readonly #outage: Outage<Way>;
  readonly #reads: PatientReads;
  /** Undefined where they are open for reading only. */
  readonly #writes: GroupWrites | undefined;

  constructor({ client, database, large, journal, outage }: MongoParts, writes: GroupWrites | undefined) {
    this.#client = client;
    this.#database = database;
    this.#large = large;
    this.#journal = journal;
    this.#outage = outage;
    this.#reads = new PatientReads(outage, () =>
      database.collection(JOURNAL_COLLECTION).findOne({}, { projection: { _id: 1 } }),
    );
    this.#writes = writes;
  }

  get failure(): Error | undefined {
    if (this.#writes?.gone !== undefined) return this.#writes.gone;
    const { reason } = this.#outage;
    return reason === undefined ? undefined : new Error(`The views cannot be reached or written: ${reason}`);
  }

  get isWriter(): boolean {
    return this.#writes?.isOwner === true;
  }

  async takeLease(): Promise<boolean> {
    return this.#writes?.takeLease() ?? false;
  }

  async get(collection: string, key: Key): Promise<string | undefined> {
    const id = idToFind(key);
    return this.#answer(() => this.#find(collection, id));
  }

  async #find(collection: string, id: string): Promise<string | undefined> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const row = await this.#rows(collection).findOne({ _id: id });
      if (row?.gone) return undefined;
      const value = row && (await this.#large.valueOf(this.#nameOf(collection), row));
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
      const found = new Map(rows.filter(({ gone }) => !gone).map((row) => [row._id, row]));
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
      const documents = await this.#documents(collection, range, reverse, limit);
      const rows = documents.map(async (row) => {
        const value = await this.#valueOf(collection, row);
        return value === undefined ? undefined : { key: keyOf(row), value };
      });
      return (await Promise.all(rows)).filter((row) => row !== undefined);
    });
  }

  async confirm(): Promise<void> {
    await this.#answer(async () => this.#writes?.confirm());
  }

  async write(writes: readonly Write[]): Promise<void> {
    await this.#writable.write(writes);
  }

  async drop(collection: string): Promise<void> {
    await this.#writable.drop(collection);
  }

  async collections(): Promise<string[]> {
    return this.#answer(async () => {
      const infos = await this.#database.listCollections({}, { nameOnly: true }).toArray();
      const names = infos.flatMap(({ name }) => collectionOf(name, this.#journal.life) ?? []);
      const filled = await Promise.all(
        names.map(
          async (name) =>
            (await this.#rows(name).findOne({ gone: { $exists: false } }, { projection: { _id: 1 } })) !== null,
        ),
      );
      return names.filter((_, i) => filled[i]).sort();
    });
  }

  async flush(): Promise<void> {
    await this.#writes?.flush();
  }

  async close(): Promise<void> {
    try {
      await this.#writes?.end();
    } finally {
      this.#reads.close();
      await this.#client.close();
    }
  }

  /** At most `limit` documents of a range that are rows. */
  async #documents(
    collection: string,
    range: Filter<RowDocument>,
    reverse: boolean,
    limit: number,
  ): Promise<RowDocument[]> {
    const find = async (condition: Filter<RowDocument>): Promise<RowDocument[]> =>
      this.#rows(collection)
        .find(condition)
        .sort({ _id: reverse ? -1 : 1 })
        .limit(limit)
        .toArray();
    const found = await find(range);
    const rows = found.filter(({ gone }) => !gone);
    // PERF: nearly always there are none that were deleted, and a condition in every search would cost more.
    return rows.length === found.length ? found : find({ $and: [range, { gone: { $exists: false } }] });
  }

  async #valueOf(collection: string, row: RowDocument): Promise<string | undefined> {
    return (await this.#large.valueOf(this.#nameOf(collection), row)) ?? this.#find(collection, row._id);
  }

  /** As `PatientReads.read`. */
  async #answer<T>(read: () => Promise<T>): Promise<T> {
    // What is not there any more is no answer.
    if (this.#writes?.gone !== undefined) throw new ViewsUnavailable(this.#writes.gone.message);
    return this.#reads.read(async () => {
      // Who has not seen the views yet does not know what their collections are called.
      if (this.#journal.life === undefined) await this.#journal.look();
      return read();
    });
  }

  get #writable(): GroupWrites {
    if (this.#writes?.hasBegun !== true) throw new Error('Another process writes to these views');
    return this.#writes;
  }

  #rows(collection: string): Collection<RowDocument> {
    return this.#database.collection<RowDocument>(this.#nameOf(collection));
  }

  #nameOf(collection: string): string {
    return nameIn(this.#journal.life, collection);
  }
}
