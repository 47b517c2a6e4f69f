import { PeerUnavailable } from '#kernel/peer-errors';
import type { Steps } from '#kernel/steps';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENS = new Set([0x7b, 0x5b]);
const CLOSES = new Set([0x7d, 0x5d]);
const BRACE = 0x7b;
const BRACKET = 0x5b;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Of all arrays together: twice as many as the state and the auth chain of the largest rooms have. */
const MOST_ELEMENTS = 1_000_000;
const MOST_KEYS = 100;
/** No event is as large, nor what stands between two of them. */
const LONGEST = 1024 * 1024;

/** Some values of an array, each by its place in the bytes. */
export class Slices implements Iterable<Uint8Array> {
  constructor(
    private readonly bytes: Buffer,
    /** Where each begins and ends. */
    private readonly places: readonly number[],
  ) {}

  get length(): number {
    return this.places.length / 2;
  }

  *[Symbol.iterator](): Generator<Uint8Array, void> {
    for (let i = 0; i < this.places.length; i += 2) yield this.bytes.subarray(this.places[i], this.places[i + 1]);
  }
}

/** The keys of an object: of each value its bytes or, where it is an array, those of its elements. */
export type SplitObject = ReadonlyMap<string, Uint8Array | Slices>;

/**
 * Finds the keys of a JSON object that another server sent, and the elements of the arrays in it, and parses nothing of them: an answer may
 * have hundreds of thousands of events, which are looked at one by one later. The object may be the second of an array `[200, {...}]`, as
 * API v1 has it. In steps. Throws PeerUnavailable for what is neither, and for more or larger values than any room has.
 */
export function* splitObject(text: Uint8Array): Steps<SplitObject> {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const reader = new Splitting(bytes);
  if (reader.next() === BRACKET) {
    reader.take(BRACKET);
    reader.skipValue();
    reader.take(COMMA);
  }
  const found = new Map<string, Uint8Array | Slices>();
  let [keys, elements] = [0, 0];
  reader.take(BRACE);
  while (reader.next() === QUOTE) {
    if (++keys > MOST_KEYS) throw unreadable();
    const key = reader.readText();
    reader.take(COLON);
    if (reader.next() === BRACKET) {
      const places: number[] = [];
      for (const _ of reader.eachOf(places)) {
        if (++elements > MOST_ELEMENTS) throw unreadable();
        if (places.length % 32 === 0) yield;
      }
      found.set(key, new Slices(bytes, places));
    } else {
      const from = reader.at;
      reader.skipValue();
      found.set(key, bytes.subarray(from, reader.at));
    }
    if (reader.next() === COMMA) reader.take(COMMA);
  }
  return found;
}

/** A place in JSON text that moves on. What is inside of values is not looked at but for where they end. */
class Splitting {
  at = 0;

  constructor(private readonly bytes: Buffer) {}

  /** The next byte that is no white space, which it moves to. */
  next(): number {
    const { bytes } = this;
    const from = this.at;
    while (bytes[this.at] === 0x20 || (bytes[this.at]! >= 0x09 && bytes[this.at]! <= 0x0d)) this.at++;
    const byte = bytes[this.at];
    if (byte === undefined) throw unreadable();
    this.#checkLength(from);
    return byte;
  }

  take(byte: number): void {
    if (this.next() !== byte) throw unreadable();
    this.at++;
  }

  readText(): string {
    const from = this.at;
    this.#skipText();
    try {
      return String(JSON.parse(this.bytes.toString('utf8', from, this.at)));
    } catch {
      throw unreadable();
    }
  }

  /** Notes where the elements of an array are, one after another. */
  *eachOf(places: number[]): Generator<undefined, void> {
    this.take(BRACKET);
    while (!CLOSES.has(this.next())) {
      const from = this.at;
      this.skipValue();
      places.push(from, this.at);
      if (this.next() === COMMA) this.take(COMMA);
      yield;
    }
    this.at++;
  }

  /** Moves behind a value. */
  skipValue(): void {
    const first = this.next();
    if (first === QUOTE) return this.#skipText();
    if (OPENS.has(first)) return this.#skipNested();
    const from = this.at;
    for (let byte = first; byte > 0x20 && byte !== COMMA && !CLOSES.has(byte); byte = this.bytes[++this.at] ?? 0);
    if (this.at === from) throw unreadable();
    this.#checkLength(from);
  }

  #skipNested(): void {
    const from = this.at;
    let depth = 0;
    do {
      this.#checkLength(from);
      const byte = this.bytes[this.at];
      if (byte === undefined) throw unreadable();
      if (byte === QUOTE) {
        this.#skipText();
        continue;
      }
      if (OPENS.has(byte)) depth++;
      else if (CLOSES.has(byte)) depth--;
      this.at++;
    } while (depth > 0);
  }

  #skipText(): void {
    for (let end = this.at; ;) {
      end = this.bytes.indexOf(QUOTE, end + 1);
      if (end < 0) throw unreadable();
      this.#checkLength(this.at, end);
      let escapes = 0;
      while (this.bytes[end - 1 - escapes] === BACKSLASH) escapes++;
      if (escapes % 2 === 1) continue;
      this.at = end + 1;
      return;
    }
  }

  #checkLength(from: number, to = this.at): void {
    if (to - from > LONGEST) throw unreadable();
  }
}

function unreadable(): PeerUnavailable {
  return new PeerUnavailable('What came is not of the expected form');
}
