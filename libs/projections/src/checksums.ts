import { createHash } from 'node:crypto';
import { encodeKey } from '#read-models/key-encoding';
import type { ReadModelStore, Row } from '#read-models/read-model-store';
import type { Generation } from './generation.js';
import { Turn } from './turn.js';

/** What a collection holds, in brief. Equal rows give equal checksums, in whatever order they were written. */
export interface CollectionChecksum {
  readonly rows: number;
  /** 32 hexadecimal digits. */
  readonly sum: string;
}

const PAGE = 500;

/** Adds up the hashes of rows: order does not matter, repetition does. */
export class RowSum {
  rows = 0;
  readonly #words = new Uint32Array(4);

  add({ key, value }: Row): void {
    const bytes = encodeKey(key);
    const hash = createHash('sha256').update(`${bytes.length}:`).update(bytes, 'latin1').update(value).digest();
    for (let i = 0; i < 4; i++) this.#words[i]! += hash.readUInt32BE(i * 4);
    this.rows++;
  }

  finish(): CollectionChecksum {
    const sum = Array.from(this.#words, (word) => word.toString(16).padStart(8, '0')).join('');
    return { rows: this.rows, sum };
  }
}

/** The checksum of each collection of a generation, by logical name. It walks all rows: what is written meanwhile may count or not. */
export async function checksumGeneration(
  store: ReadModelStore,
  generation: Generation,
): Promise<Record<string, CollectionChecksum>> {
  const checksums: Record<string, CollectionChecksum> = {};
  const turn = new Turn();
  for (const [logical, physical] of generation.physical) {
    const sum = new RowSum();
    for await (const page of pagesOf(store, physical)) {
      for (const row of page) {
        sum.add(row);
        if (turn.isOver()) await turn.pass();
      }
    }
    checksums[logical] = sum.finish();
  }
  return checksums;
}

/** All rows of a physical collection in order, in pages. */
export async function* pagesOf(store: ReadModelStore, physical: string): AsyncIterable<readonly Row[]> {
  let after: readonly string[] | undefined;
  for (;;) {
    const page = await store.scan(physical, { after, limit: PAGE });
    if (page.length > 0) yield page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.key;
  }
}
