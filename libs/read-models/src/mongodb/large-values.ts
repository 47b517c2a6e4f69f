import { randomUUID } from 'node:crypto';
import { Binary, type Collection, type Db } from 'mongodb';

/** What a row says, as MongoDB holds it: the value itself, or where its parts are. */
export interface RowFields {
  readonly v?: string;
  /** The id of a large value and the number of its parts. */
  readonly large?: string;
  readonly parts?: number;
}

export interface RowDocument extends RowFields {
  readonly _id: string;
  /** The number of the group that wrote it: see `write-rows.ts`. */
  readonly n?: number;
  /** It was deleted, and what was written before that may still arrive. */
  readonly gone?: true;
}

interface PartDocument {
  readonly _id: string;
  readonly bytes: Binary;
}

/** A document may hold 16 MB; a value longer than this is kept in parts beside its collection. */
const LARGE_CHARACTERS = 1_000_000;
const PART_BYTES = 4 * 1024 * 1024;
const SUFFIX = '.parts';

/** Whether a collection holds parts, and is none of its own. */
function isParts(collection: string): boolean {
  return collection.endsWith(SUFFIX);
}

/** Which collection it holds parts of; undefined where it holds none. */
export function partsOf(collection: string): string | undefined {
  return isParts(collection) ? collection.slice(0, -SUFFIX.length) : undefined;
}

/**
 * The values that do not fit into a document. Parts are written before the row that names them and removed after it is gone,
 * and never changed: a reader sees a whole value. A crash may leave parts that no row names; they go with the collection.
 */
export class LargeValues {
  /** Collections that may have parts: all others need no look. */
  readonly #collections: Set<string>;

  constructor(
    readonly database: Db,
    existing: readonly string[],
  ) {
    this.#collections = new Set(existing.map(partsOf).filter((name) => name !== undefined));
  }

  /** The fields of a row with this value. Its parts, if it needs any, are stored when it settles. */
  async fieldsOf(collection: string, value: string): Promise<RowFields> {
    if (value.length < LARGE_CHARACTERS) return { v: value };
    this.#collections.add(collection);
    const bytes = Buffer.from(value);
    const large = randomUUID();
    const parts = Math.ceil(bytes.length / PART_BYTES);
    for (let i = 0; i < parts; i++) {
      const part = bytes.subarray(i * PART_BYTES, (i + 1) * PART_BYTES);
      await this.#parts(collection).insertOne({ _id: `${large}-${i}`, bytes: new Binary(part) });
    }
    return { large, parts };
  }

  /** The large values that rows hold now, before they are written over. */
  async named(rows: Collection<RowDocument>, ids: readonly string[]): Promise<RowDocument[]> {
    if (!this.#collections.has(rows.collectionName)) return [];
    return rows.find({ _id: { $in: [...ids] }, large: { $exists: true } }).toArray();
  }

  /** Removes the parts of rows that are no more. */
  async remove(collection: string, rows: readonly RowFields[]): Promise<void> {
    const ids = rows.flatMap(partIds);
    if (ids.length > 0) await this.#parts(collection).deleteMany({ _id: { $in: ids } });
  }

  /** The value of a row; undefined where it was written over while its parts were read. */
  async valueOf(collection: string, row: RowFields): Promise<string | undefined> {
    if (row.large === undefined) return row.v ?? '';
    const found: Buffer[] = [];
    for (const id of partIds(row)) {
      const part = await this.#parts(collection).findOne({ _id: id });
      if (part === null) return undefined;
      found.push(Buffer.from(part.bytes.value()));
    }
    return Buffer.concat(found).toString('utf8');
  }

  /** Removes all parts of a collection. */
  async drop(collection: string): Promise<void> {
    if (this.#collections.delete(collection)) await this.#parts(collection).drop();
  }

  #parts(collection: string): Collection<PartDocument> {
    return this.database.collection(`${collection}${SUFFIX}`);
  }
}

function partIds({ large, parts = 0 }: RowFields): string[] {
  return Array.from({ length: parts }, (_, i) => `${large}-${i}`);
}
