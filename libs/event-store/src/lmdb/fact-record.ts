import type { FactMetadata, NewFact, RecordedFact } from '../event-store.js';
import { LogOfAnotherVersion } from '../event-store-errors.js';
import { positionOf } from './counted-position.js';
import { MOST_PACKED, roomFor, TextPacker } from './pack-text.js';

/*
 * One fact as LMDB holds it, numbers in big endian:
 *
 *   0  u8   version of this layout, 2
 *   1  u16  what there is of what need not be there: see the bits
 *   3  u16  schema
 *   5  u32  number of the stream
 *   9  u32  revision
 *  13  f64  position
 *  21  f64  at
 *  29       the id, as 16 bytes; the chain, as 32; what was erased, as 32; where the tail begins, u32: each by its bit
 *           how many UTF-16 units each front text has, one after another (numbers of 7 bits a byte, the lowest first, the last below
 *           0x80): type, actor, and by their bits device, causation, correlation, and what of id, chain and erased is no such bytes
 *           how many bytes all front texts have in UTF-8, and how many these and the data
 *           the front texts and the data as it was given, in UTF-8, packed (see `pack-text.ts`) or, where that is too long, plain
 *
 * Of a fact that was truncated the version alone is left, and it is 0: it keeps the place of the fact.
 *
 * PERF: one buffer a fact, and no JSON but the data. A message takes 700 bytes where its parts have 1,200 as text, and some 3 µs
 * more than if they were copied. Benchmark: bench/fact-record.ts.
 */
const LAYOUT = 2;
/** What is left of a fact that was truncated. */
export const TRUNCATED_RECORD = Buffer.from([0]);
const FIXED = 29;
const MOST_FRONT = 0xffff;
/** No UTF-16 unit takes more than three bytes. */
const MOST_PACKED_UNITS = Math.floor(MOST_PACKED / 3);
const MOST_SCHEMA = 0xffff;
const MOST_TAIL_AT = 0xffffffff;
/** The most bytes of all that stands between the fixed part and the texts: three hashes, the tail's place, ten numbers. */
const MOST_BETWEEN = 16 + 32 + 32 + 4 + 10 * 5;

const HAS_DEVICE = 1;
const HAS_CAUSATION = 2;
const HAS_CORRELATION = 4;
const HAS_ERASABLE = 8;
const HAS_ERASED = 16;
const IS_UUID = 32;
const IS_CHAIN_HASH = 64;
const IS_ERASED_HASH = 128;
const IS_PACKED = 256;
const IS_ASCII = 512;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Makes records of facts, and facts of records. */
export class FactRecords {
  readonly #packer = new TextPacker();

  /** Encodes what is known of a fact before it has a place. Throws RangeError for what is too long to store. */
  encode(fact: NewFact): Buffer {
    const { id, type, data, metadata } = fact;
    const { at, actor, device, causation, correlation, schema, chain, erasable, erased } = metadata;
    if (!(schema >= 0 && schema <= MOST_SCHEMA)) throw new RangeError(`No schema of a fact: ${schema}`);
    if (erasable !== undefined && erasable > MOST_TAIL_AT) throw new RangeError(`No place in a fact: ${erasable}`);
    const isUuid = UUID.test(id);
    const isChainHash = SHA256.test(chain);
    const isErasedHash = erased !== undefined && SHA256.test(erased);
    const fronts = [type, actor];
    if (device !== undefined) fronts.push(device);
    if (causation !== undefined) fronts.push(causation);
    if (correlation !== undefined) fronts.push(correlation);
    if (!isUuid) fronts.push(id);
    if (!isChainHash) fronts.push(chain);
    if (erased !== undefined && !isErasedHash) fronts.push(erased);
    let front = '';
    for (const text of fronts) front += text;
    if (front.length > MOST_FRONT) throw new RangeError(`What stands around a fact is too long: ${type.slice(0, 80)}`);

    const isPacked = front.length + data.length <= MOST_PACKED_UNITS;
    const frontBytes = isPacked ? this.#packer.begin(front) : Buffer.byteLength(front);
    const bytes = frontBytes + (isPacked ? this.#packer.add(data) : Buffer.byteLength(data));
    const record = Buffer.allocUnsafe(FIXED + MOST_BETWEEN + (isPacked ? roomFor(bytes) : bytes));
    const bits =
      (device === undefined ? 0 : HAS_DEVICE) |
      (causation === undefined ? 0 : HAS_CAUSATION) |
      (correlation === undefined ? 0 : HAS_CORRELATION) |
      (erasable === undefined ? 0 : HAS_ERASABLE) |
      (erased === undefined ? 0 : HAS_ERASED) |
      (isUuid ? IS_UUID : 0) |
      (isChainHash ? IS_CHAIN_HASH : 0) |
      (isErasedHash ? IS_ERASED_HASH : 0) |
      (isPacked ? IS_PACKED : 0) |
      (bytes === front.length + data.length ? IS_ASCII : 0);
    record[0] = LAYOUT;
    record.writeUInt16BE(bits, 1);
    record.writeUInt16BE(schema, 3);
    record.writeDoubleBE(at, 21);
    let end = FIXED;
    if (isUuid) end += record.write(id.replaceAll('-', ''), end, 'hex');
    if (isChainHash) end += record.write(chain, end, 'hex');
    if (isErasedHash) end += record.write(erased, end, 'hex');
    if (erasable !== undefined) end = record.writeUInt32BE(erasable, end);
    for (const text of fronts) end = putNumber(record, end, text.length);
    end = putNumber(record, end, frontBytes);
    end = putNumber(record, end, bytes);
    if (isPacked) {
      end = this.#packer.pack(record, end);
    } else {
      end += record.write(front, end);
      end += record.write(data, end);
    }
    return record.subarray(0, end);
  }

  /**
   * Decodes the record in the first `length` bytes; null for a fact that was truncated. The bytes may be overwritten as soon as
   * `streamName` is called (it may read from the same database), so that is done last.
   */
  decode(record: Buffer, length: number, streamName: (stream: number) => string): RecordedFact | null {
    if (length === TRUNCATED_RECORD.length && record[0] === TRUNCATED_RECORD[0]) return null;
    if (record[0] !== LAYOUT) throw new LogOfAnotherVersion(record[0]!);
    const bits = (record[1]! << 8) | record[2]!;
    const reader = new Reader(record, length, FIXED);
    const uuid = bits & IS_UUID ? uuidOf(reader.hex(16)) : undefined;
    const chainHash = bits & IS_CHAIN_HASH ? reader.hex(32) : undefined;
    const erasedHash = bits & IS_ERASED_HASH ? reader.hex(32) : undefined;
    const erasable = bits & HAS_ERASABLE ? reader.uint32() : undefined;
    const typeLength = reader.number();
    const actorLength = reader.number();
    const deviceLength = bits & HAS_DEVICE ? reader.number() : 0;
    const causationLength = bits & HAS_CAUSATION ? reader.number() : 0;
    const correlationLength = bits & HAS_CORRELATION ? reader.number() : 0;
    const idLength = uuid === undefined ? reader.number() : 0;
    const chainLength = chainHash === undefined ? reader.number() : 0;
    const isErasedText = (bits & HAS_ERASED) !== 0 && erasedHash === undefined;
    const erasedLength = isErasedText ? reader.number() : 0;
    const frontBytes = reader.number();
    const bytes = reader.number();
    const texts = this.#textsOf(reader, bits, bytes);
    const encoding = bits & IS_ASCII ? 'latin1' : 'utf8';
    const data = texts.toString(encoding, frontBytes);
    const front = texts.toString(encoding, 0, frontBytes);

    let from = 0;
    const take = (units: number): string => front.slice(from, (from += units));
    const type = take(typeLength);
    const metadata: { -readonly [K in keyof FactMetadata]: FactMetadata[K] } = {
      at: record.readDoubleBE(21),
      actor: take(actorLength),
      schema: (record[3]! << 8) | record[4]!,
      chain: chainHash!,
    };
    if (bits & HAS_DEVICE) metadata.device = take(deviceLength);
    if (bits & HAS_CAUSATION) metadata.causation = take(causationLength);
    if (bits & HAS_CORRELATION) metadata.correlation = take(correlationLength);
    const id = uuid ?? take(idLength);
    if (chainHash === undefined) metadata.chain = take(chainLength);
    if (erasable !== undefined) metadata.erasable = erasable;
    if (bits & HAS_ERASED) metadata.erased = erasedHash ?? take(erasedLength);
    if (from !== front.length) throw new Error('The texts around a fact are not as long as they should be');
    return {
      id,
      type,
      data,
      metadata,
      revision: record.readUInt32BE(9),
      position: positionOf(record.readDoubleBE(13)),
      stream: streamName(record.readUInt32BE(5)),
    };
  }

  #textsOf(reader: Reader, bits: number, bytes: number): Buffer {
    const { record, at, length } = reader;
    if (bits & IS_PACKED) return this.#packer.unpack(record, at, length, bytes);
    if (length - at !== bytes) throw new Error('The texts of a fact are not as long as they should be');
    return record.subarray(at, length);
  }
}

/** Writes the fact's place into its record: done inside the write transaction. */
export function placeFact(record: Buffer, stream: number, revision: number, position: number): void {
  record.writeUInt32BE(stream, 5);
  record.writeUInt32BE(revision, 9);
  record.writeDoubleBE(position, 13);
}

/** Reads a record from its beginning on. Throws where it ends too early: it is damaged. */
class Reader {
  constructor(
    readonly record: Buffer,
    readonly length: number,
    public at: number,
  ) {}

  hex(bytes: number): string {
    return this.record.toString('hex', this.at, this.#pass(bytes));
  }

  uint32(): number {
    const end = this.#pass(4);
    return this.record.readUInt32BE(end - 4);
  }

  number(): number {
    for (let value = 0, shift = 0; shift < 35; shift += 7) {
      const byte = this.record[this.#pass(1) - 1]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error('A number in a fact has no end');
  }

  #pass(bytes: number): number {
    this.at += bytes;
    if (this.at > this.length) throw new Error('A fact ends too early');
    return this.at;
  }
}

function putNumber(record: Buffer, start: number, value: number): number {
  let at = start;
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) record[at++] = (left % 0x80) | 0x80;
  record[at++] = left;
  return at;
}

function uuidOf(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
