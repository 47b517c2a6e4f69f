import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createDeflateRaw, deflateRaw } from 'node:zlib';
import type { ExportFile } from '../files/export-file.js';
import {
  dataDescriptor,
  directoryHeader,
  endOfDirectory,
  localHeader,
  MOST_IN_FOUR,
  type ZipEntry,
} from './zip-records.js';

const deflate = promisify(deflateRaw);

/** What people upload is compressed already, mostly. */
const STREAMED = { level: 1 };
/** What cannot be compressed becomes a little larger by it. */
const MARGIN = 16 * 1024 * 1024;

type Sizes = Pick<ZipEntry, 'crc' | 'compressed' | 'bytes'>;
const UNKNOWN: Sizes = Object.freeze({ crc: 0, compressed: 0, bytes: 0 });

/** Files as one ZIP file, as they come: no more than a piece of them is in memory. `at`: when it is made. Throws what they throw. */
export async function* zipOf(files: AsyncIterable<ExportFile>, at: number): AsyncGenerator<Uint8Array, void> {
  const entries: ZipEntry[] = [];
  let offset = 0;
  for await (const { path, bytes, content } of files) {
    const isStreamed = !(content instanceof Uint8Array);
    const isLarge = bytes > MOST_IN_FOUR - MARGIN;
    const known = { name: Buffer.from(path), offset, isStreamed, isLarge };
    const entry: ZipEntry = isStreamed
      ? { ...known, ...(yield* streamed({ ...known, ...UNKNOWN }, content, at)) }
      : { ...known, ...(yield* whole(known, content, at)) };
    if (isStreamed) yield dataDescriptor(entry);
    offset += localHeader(entry, at).length + entry.compressed + (isStreamed ? dataDescriptor(entry).length : 0);
    entries.push(entry);
  }
  let directory = 0;
  for (const entry of entries) {
    const header = directoryHeader(entry, at);
    directory += header.length;
    yield header;
  }
  yield endOfDirectory(entries.length, offset, directory);
}

async function* whole(
  known: Omit<ZipEntry, keyof Sizes>,
  content: Uint8Array,
  at: number,
): AsyncGenerator<Uint8Array, Sizes> {
  const compressed = await deflate(content);
  const sizes = { crc: crc32(content), compressed: compressed.length, bytes: content.length };
  yield localHeader({ ...known, ...sizes }, at);
  yield compressed;
  return sizes;
}

async function* streamed(
  entry: ZipEntry,
  content: AsyncIterable<Uint8Array>,
  at: number,
): AsyncGenerator<Uint8Array, Sizes> {
  yield localHeader(entry, at);
  let [crc, bytes, compressed] = [0, 0, 0];
  const measured = async function* (): AsyncGenerator<Uint8Array, void> {
    for await (const piece of content) {
      crc = crc32(piece, crc);
      bytes += piece.length;
      yield piece;
    }
  };
  const deflated = createDeflateRaw(STREAMED);
  // What goes wrong is thrown where it is read.
  pipeline(measured(), deflated, () => undefined);
  for await (const piece of deflated as AsyncIterable<Buffer>) {
    compressed += piece.length;
    yield piece;
  }
  return { crc, compressed, bytes };
}
