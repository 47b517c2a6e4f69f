/** LMDB's limit for keys of text is 1978 bytes with its encoding. */
const MAX_STREAM_BYTES = 1900;
/** Revisions and numbers of streams are kept in 32 bits. */
export const MAX_REVISION = 0xffffffff;

/** Throws RangeError for what cannot be the name of a stream. */
export function checkStreamName(name: string): void {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > MAX_STREAM_BYTES) {
    throw new RangeError(`Not a stream name: ${name.slice(0, 80)}`);
  }
}

/** The key of a fact by its stream and its revision: sorts by both. */
export function revisionKey(number: number, revision: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(number, 0);
  key.writeUInt32BE(revision, 4);
  return key;
}

/** The keys of a stream's facts from a revision on, in one direction. */
export function rangeOf(number: number, from: number, backwards: boolean) {
  const start = revisionKey(number, Math.min(from, MAX_REVISION));
  const end = revisionKey(number, backwards ? 0 : MAX_REVISION);
  return { start, end, inclusiveEnd: true, reverse: backwards };
}
