import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { checkIsFile } from './not-a-file.js';

/** What each of the two meta pages holds near its beginning. */
const MAGIC = Buffer.from(endianness() === 'LE' ? 'dec0efbe' : 'beefc0de', 'hex');
/** Where what we look at stands behind the magic number. */
const PAGE_SIZE = 24;
const LAST_PAGE = 120;
const TRANSACTION = 128;
const HEADER_BYTES = 64 * 1024 + 4096;
/** The magic number of the first meta page stands within: only the head of a page is before it. */
const BEGINNING_BYTES = 64;
/** Pages that were taken and given back within one transaction are counted but need not be in the file. */
const SLACK_PAGES = 256;

/** Throws where `findWhyUnfit` says why. */
export function checkDataFile(file: string): void {
  const reason = findWhyUnfit(file);
  if (reason !== undefined) throw new Error(reason);
}

/**
 * Says why a file cannot be one of LMDB's: something else stands in it, or its beginning was overwritten, or it is much shorter
 * than it says of itself (it was cut, by a copy that did not end or a disk that was full). LMDB would map it into memory all the
 * same, and the process dies at the first page that is not there, or at once. Throws NotAFile.
 */
export function findWhyUnfit(file: string): string | undefined {
  checkIsFile(file);
  const descriptor = openSync(file, 'r');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const bytes = header.subarray(0, readSync(descriptor, header, 0, HEADER_BYTES, 0));
    if (bytes.length > 0 && !bytes.subarray(0, BEGINNING_BYTES).includes(MAGIC)) {
      return `${file} is no file of LMDB, or its beginning was overwritten`;
    }
    const lastPage = lastPageOf(bytes);
    if (lastPage === undefined) return undefined;
    const { size } = fstatSync(descriptor);
    const needed = (lastPage.number + 1 - SLACK_PAGES) * lastPage.size;
    if (size < needed) return `${file} was cut: it has ${size} bytes and should have at least ${needed}`;
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** The last page that the newer of the two meta pages knows of; undefined where they cannot be read: LMDB will tell. */
function lastPageOf(bytes: Buffer): { readonly number: number; readonly size: number } | undefined {
  const at = bytes.indexOf(MAGIC);
  if (at < 0 || at + TRANSACTION + 8 > bytes.length) return undefined;
  const read64 = (offset: number): bigint =>
    endianness() === 'LE' ? bytes.readBigUInt64LE(offset) : bytes.readBigUInt64BE(offset);
  const size = endianness() === 'LE' ? bytes.readUInt32LE(at + PAGE_SIZE) : bytes.readUInt32BE(at + PAGE_SIZE);
  const metas = [at, at + size].filter(
    (meta) => meta + TRANSACTION + 8 <= bytes.length && bytes.subarray(meta, meta + 4).equals(MAGIC),
  );
  const newest = metas.toSorted((a, b) => (read64(b + TRANSACTION) > read64(a + TRANSACTION) ? 1 : -1))[0];
  return newest === undefined ? undefined : { number: Number(read64(newest + LAST_PAGE)), size };
}
