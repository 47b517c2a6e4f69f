/* The records of a ZIP file: PKWARE's APPNOTE 6.3.10, section 4.3. */

/** A file of it, as both of its headers tell it. */
export interface ZipEntry {
  readonly name: Buffer;
  /** Where its local header begins. */
  readonly offset: number;
  /** Its sizes and its checksum stand behind its content: they were not known before. */
  readonly isStreamed: boolean;
  /** Its sizes may not fit into four bytes. */
  readonly isLarge: boolean;
  readonly crc: number;
  readonly compressed: number;
  readonly bytes: number;
}

const DEFLATED = 8;
const UTF8_NAMES = 0x0800;
const SIZES_BEHIND = 0x0008;
/** Version 4.5 of the format reads what is larger than four bytes can tell, 2.0 the rest. */
const LARGE = 45;
const PLAIN = 20;
const FROM_UNIX = 3 << 8;
/** A file that its owner reads and writes, and nobody else. */
const OWNERS_FILE = 0o100600 * 0x10000;
export const MOST_IN_FOUR = 0xffffffff;
const MOST_IN_TWO = 0xffff;
const EXTRA_OF_LARGE = 1;

/** Numbers of so many bytes each, the last byte first. */
function numbers(...all: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Buffer {
  const buffer = Buffer.alloc(all.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of all) {
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at);
    else buffer.writeUIntLE(value, at, bytes);
    at += bytes;
  }
  return buffer;
}

/** A moment as MS-DOS had it, in UTC, to two seconds; years from 1980 on. */
function dosTime(at: number): readonly [time: number, date: number] {
  const date = new Date(at);
  const year = Math.max(0, date.getUTCFullYear() - 1980);
  return [
    (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1),
    (year << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate(),
  ];
}

const flagsOf = ({ isStreamed }: ZipEntry): number => UTF8_NAMES | (isStreamed ? SIZES_BEHIND : 0);

/** What stands before the content of a file: of one that is streamed the sizes are not told yet. */
export function localHeader(entry: ZipEntry, at: number): Buffer {
  const { name, isStreamed, isLarge } = entry;
  const [time, date] = dosTime(at);
  const told = isStreamed ? { crc: 0, compressed: 0, bytes: 0 } : entry;
  const extra = isLarge
    ? numbers([2, EXTRA_OF_LARGE], [2, 16], [8, told.bytes], [8, told.compressed])
    : Buffer.alloc(0);
  const head = numbers(
    [4, 0x04034b50],
    [2, isLarge ? LARGE : PLAIN],
    [2, flagsOf(entry)],
    [2, DEFLATED],
    [2, time],
    [2, date],
    [4, told.crc],
    [4, isLarge ? MOST_IN_FOUR : told.compressed],
    [4, isLarge ? MOST_IN_FOUR : told.bytes],
    [2, name.length],
    [2, extra.length],
  );
  return Buffer.concat([head, name, extra]);
}

/** What stands behind the content of one that is streamed. */
export function dataDescriptor({ crc, compressed, bytes, isLarge }: ZipEntry): Buffer {
  const size = isLarge ? 8 : 4;
  return numbers([4, 0x08074b50], [4, crc], [size, compressed], [size, bytes]);
}

/** A file in the directory at the end. */
export function directoryHeader(entry: ZipEntry, at: number): Buffer {
  const { name, crc, compressed, bytes, offset } = entry;
  const [time, date] = dosTime(at);
  const sizes = [bytes, compressed, offset];
  const large = sizes.filter((size) => size >= MOST_IN_FOUR);
  const extra = large.length === 0 ? [] : [[2, EXTRA_OF_LARGE] as const, [2, large.length * 8] as const];
  const told = numbers(...extra, ...large.map((size) => [8, size] as const));
  const [inFour, compressedInFour, offsetInFour] = sizes.map((size) => Math.min(size, MOST_IN_FOUR));
  const version = entry.isLarge || large.length > 0 ? LARGE : PLAIN;
  const head = numbers(
    [4, 0x02014b50],
    [2, FROM_UNIX | version],
    [2, version],
    [2, flagsOf(entry)],
    [2, DEFLATED],
    [2, time],
    [2, date],
    [4, crc],
    [4, compressedInFour!],
    [4, inFour!],
    [2, name.length],
    [2, told.length],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, OWNERS_FILE],
    [4, offsetInFour!],
  );
  return Buffer.concat([head, name, told]);
}

/** What stands last: where the directory is, and how many files are in it. */
export function endOfDirectory(files: number, offset: number, bytes: number): Buffer {
  const isLarge = files >= MOST_IN_TWO || offset >= MOST_IN_FOUR || bytes >= MOST_IN_FOUR;
  const files16 = Math.min(files, MOST_IN_TWO);
  const end = numbers(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, files16],
    [2, files16],
    [4, Math.min(bytes, MOST_IN_FOUR)],
    [4, Math.min(offset, MOST_IN_FOUR)],
    [2, 0],
  );
  if (!isLarge) return end;
  const large = numbers(
    [4, 0x06064b50],
    [8, 44],
    [2, FROM_UNIX | LARGE],
    [2, LARGE],
    [4, 0],
    [4, 0],
    [8, files],
    [8, files],
    [8, bytes],
    [8, offset],
  );
  const locator = numbers([4, 0x07064b50], [4, 0], [8, offset + bytes], [4, 1]);
  return Buffer.concat([large, locator, end]);
}
