import type { FactMetadata, NewFact, RecordedFact } from '../event-store.js';
import { positionOf } from './counted-position.js';

/*
 * One fact as LMDB holds it, numbers in big endian:
 *
 *   0  u8   version of this layout, 1
 *   1  u8   bytes of the id
 *   2  u16  bytes of the type
 *   4  u32  number of the stream
 *   8  u32  revision
 *  12  u32  bytes of the metadata
 *  16  f64  position
 *  24  id, type, metadata as JSON, data as it was given; all UTF-8
 *
 * Of a fact that was truncated the version alone is left, and it is 0: it keeps the place of the fact.
 *
 * PERF: one buffer a fact, no JSON inside JSON. Decoding is bound by the strings, so what stands before the data is read
 * as one string and cut. Benchmark: bench/event-store-append.ts.
 */
const LAYOUT = 1;
/** What is left of a fact that was truncated. */
export const TRUNCATED_RECORD = Buffer.from([0]);
const HEADER = 24;
const MAX_ID = 255;
const MAX_TYPE = 0xffff;

/** Encodes what is known of a fact before it has a place. Throws RangeError for an id or type too long to store. */
export function encodeFact(fact: NewFact): Buffer {
  const metadata = JSON.stringify(fact.metadata);
  const idBytes = Buffer.byteLength(fact.id);
  const typeBytes = Buffer.byteLength(fact.type);
  const metadataBytes = Buffer.byteLength(metadata);
  if (idBytes > MAX_ID || typeBytes > MAX_TYPE) throw new RangeError(`Id or type of a fact is too long: ${fact.type}`);
  const record = Buffer.allocUnsafe(HEADER + idBytes + typeBytes + metadataBytes + Buffer.byteLength(fact.data));
  record[0] = LAYOUT;
  record[1] = idBytes;
  record.writeUInt16BE(typeBytes, 2);
  record.writeUInt32BE(metadataBytes, 12);
  let at = HEADER;
  at += record.write(fact.id, at);
  at += record.write(fact.type, at);
  at += record.write(metadata, at);
  record.write(fact.data, at);
  return record;
}

/** Writes the fact's place into its record: done inside the write transaction. */
export function placeFact(record: Buffer, stream: number, revision: number, position: number): void {
  record.writeUInt32BE(stream, 4);
  record.writeUInt32BE(revision, 8);
  record.writeDoubleBE(position, 16);
}

/**
 * A record of the same length without the fact: put in its place first, it leaves nothing of it in the page, whatever is put
 * there then.
 */
export function blankRecord(length: number): Buffer {
  return Buffer.alloc(length);
}

/**
 * Decodes the record in the first `length` bytes; null for a fact that was truncated. The bytes may be overwritten as soon as `streamName` is called (it may
 * read from the same database), so that is done last.
 */
export function decodeFact(
  record: Buffer,
  length: number,
  streamName: (stream: number) => string,
): RecordedFact | null {
  if (length === TRUNCATED_RECORD.length && record[0] === TRUNCATED_RECORD[0]) return null;
  if (record[0] !== LAYOUT) throw new Error(`A fact in a layout this version does not know: ${record[0]}`);
  const idBytes = record[1]!;
  const typeBytes = (record[2]! << 8) | record[3]!;
  const stream = uint32At(record, 4);
  const revision = uint32At(record, 8);
  const metadataBytes = uint32At(record, 12);
  const position = record.readDoubleBE(16);
  const typeAt = HEADER + idBytes;
  const metadataAt = typeAt + typeBytes;
  const dataAt = metadataAt + metadataBytes;
  const data = record.toString('utf8', dataAt, length);
  const front = record.toString('utf8', HEADER, dataAt);
  let id: string;
  let type: string;
  let metadata: string;
  if (front.length === dataAt - HEADER) {
    // All ASCII: bytes are characters.
    id = front.slice(0, idBytes);
    type = front.slice(idBytes, idBytes + typeBytes);
    metadata = front.slice(idBytes + typeBytes);
  } else {
    id = record.toString('utf8', HEADER, typeAt);
    type = record.toString('utf8', typeAt, metadataAt);
    metadata = record.toString('utf8', metadataAt, dataAt);
  }
  return {
    id,
    type,
    data,
    metadata: parseMetadata(metadata),
    stream: streamName(stream),
    revision,
    position: positionOf(position),
  };
}

/** The words of the parser would quote what it cannot read, and they reach whoever asks whether the server is well. */
function parseMetadata(text: string): FactMetadata {
  try {
    return JSON.parse(text) as FactMetadata;
  } catch {
    throw new Error('The metadata of a fact are no JSON');
  }
}

function uint32At(record: Buffer, at: number): number {
  return record[at]! * 0x1000000 + ((record[at + 1]! << 16) | (record[at + 2]! << 8) | record[at + 3]!);
}
