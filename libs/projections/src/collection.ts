import { type Answer, whenThere } from '#kernel/answer';
import type { Key, Row, ScanOptions } from '#read-models/read-model-store';
import type { OwnRows } from './projector.js';
import { behind, PAGE, scanPages } from './scan-pages.js';
import type { Views } from './views.js';

/** How the value of a row is written as text. What is decoded was encoded by the same codec: its shape is believed. */
export interface RowCodec<V> {
  readonly encode: (value: V) => string;
  readonly decode: (text: string) => V;
  /** The value is the text itself. PERF: rows that were read are then handed on as they are. */
  readonly isText?: true;
}

/** As JSON. */
export function asJson<V>(): RowCodec<V> {
  return { encode: (value) => JSON.stringify(value), decode: (text) => JSON.parse(text) as V };
}

/** The value is text, and stands there as it is. */
export function asText<V extends string>(): RowCodec<V> {
  return { encode: (value) => value, decode: (text) => text as V, isText: true };
}

/** A number, in decimal digits. */
export const asNumber: RowCodec<number> = Object.freeze({ encode: String, decode: Number });

/** There is nothing to say but that the row is there. */
export const asMark: RowCodec<true> = Object.freeze({ encode: () => '', decode: () => true as const });

/** The beginning of a key. */
type Prefix<K extends Key> = K extends readonly [infer A extends string, ...infer R extends Key]
  ? readonly [] | readonly [A, ...Prefix<R>]
  : readonly [];

/** A ScanOptions whose keys are of the collection. */
export interface Range<K extends Key> {
  readonly prefix?: Prefix<K>;
  readonly after?: K;
  readonly before?: K;
  readonly from?: K;
  readonly to?: K;
  readonly reverse?: boolean;
}

/** A row, read. */
export interface Entry<K extends Key, V> {
  readonly key: K;
  readonly value: V;
}

/** What is told of a collection to people. */
export interface Declared {
  /** Its logical name: lower case, digits and `-`. */
  readonly name: string;
  /** The parts of a key, in order. */
  readonly key: readonly string[];
  /** What a row says. */
  readonly says: string;
}

/**
 * A collection of rows, declared beside the projector that writes it; whoever reads or writes its rows does it by this. `K` is the
 * key, its parts in order, `V` the value.
 */
export class Collection<K extends Key, V> implements Declared {
  readonly key: readonly string[];
  readonly says: string;
  readonly codec: RowCodec<V>;

  constructor(
    readonly name: string,
    declared: {
      readonly key: { readonly [Part in keyof K]: string };
      readonly says: string;
      readonly codec: RowCodec<V>;
    },
  ) {
    this.key = declared.key as readonly string[]; // a tuple of as many texts as a key has parts
    this.says = declared.says;
    this.codec = declared.codec;
  }

  /** The value of a row; undefined where it is not there. */
  get(rows: Pick<Views, 'get'>, key: K): Promise<V | undefined>;
  get(rows: Pick<OwnRows, 'get'>, key: K): Answer<V | undefined>;
  get(rows: Pick<OwnRows, 'get'>, key: K): Answer<V | undefined> {
    return whenThere(rows.get(this.name, key), (text) => (text === undefined ? undefined : this.codec.decode(text)));
  }

  /** Whether a row is there. */
  async has(rows: Pick<OwnRows, 'get'>, key: K): Promise<boolean> {
    return (await rows.get(this.name, key)) !== undefined;
  }

  /** The values in the order of the keys. */
  async getMany(rows: Pick<Views, 'getMany'>, keys: readonly K[]): Promise<(V | undefined)[]> {
    const texts = await rows.getMany(this.name, keys);
    return texts.map((text) => (text === undefined ? undefined : this.codec.decode(text)));
  }

  /** The rows of a range, at most `limit`. */
  scan(rows: Pick<Views, 'scan'>, range: Range<K> & Pick<ScanOptions, 'limit'>): Promise<Entry<K, V>[]>;
  scan(rows: Pick<OwnRows, 'scan'>, range: Range<K> & Pick<ScanOptions, 'limit'>): Answer<Entry<K, V>[]>;
  scan(rows: Pick<OwnRows, 'scan'>, range: Range<K> & Pick<ScanOptions, 'limit'>): Answer<Entry<K, V>[]> {
    return whenThere(rows.scan(this.name, range), (found) => this.#read(found));
  }

  /** All rows of a range, however many, a page at a time. What changes meanwhile may or may not be among them. */
  async *pages(rows: Pick<OwnRows, 'scan'>, range: Range<K>, size?: number): AsyncGenerator<Entry<K, V>[], void> {
    for await (const page of scanPages(rows, this.name, range, size)) yield this.#read(page);
  }

  /** Does something with each row of a range, one after another. PERF: waits for nothing where rows are at hand. */
  forEach(rows: Pick<OwnRows, 'scan'>, range: Range<K>, use: (entry: Entry<K, V>) => void, size = PAGE): Answer<void> {
    return whenThere(rows.scan(this.name, { ...range, limit: size }), (page) => {
      for (const entry of this.#read(page)) use(entry);
      if (page.length === size) return this.forEach(rows, behind<Range<K>>(range, page), use, size);
    });
  }

  put(rows: Pick<OwnRows, 'put'>, key: K, value: V): void {
    rows.put(this.name, key, this.codec.encode(value));
  }

  delete(rows: Pick<OwnRows, 'delete'>, key: K): void {
    rows.delete(this.name, key);
  }

  #read(rows: readonly Row[]): Entry<K, V>[] {
    // Only keys of the type K are ever put.
    if (this.codec.isText === true) return rows as readonly unknown[] as Entry<K, V>[];
    return rows.map(({ key, value }) => ({ key: key as unknown as K, value: this.codec.decode(value) }));
  }
}

/** What a projector says of the collections that it owns. */
export function owning(...declared: readonly Declared[]): {
  readonly collections: readonly string[];
  readonly declared: readonly Declared[];
} {
  return { collections: declared.map(({ name }) => name), declared };
}
