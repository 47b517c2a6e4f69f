import { FAMILIAR_TEXT } from './familiar-text.js';

/*
 * Text in fewer bytes: what stood before in it, or stands in a text that is known beforehand (its familiar text), is said by where
 * that is. Steps, one after another:
 *
 *   0nnnnnnn                      n + 1 bytes follow as they are
 *   1nnnnnnn dddddddd dddddddd    the n + 4 bytes that stand d (big endian) before here; the familiar text stands before the first
 *
 * PERF: every fact goes through it, so it does without entropy coding, which would take ten times as long: some 4 µs for a kilobyte
 * there, and 2 back. Benchmark: bench/fact-record.ts.
 */
const LEAST = 4;
const MOST = 0x7f + LEAST;
const MOST_PLAIN = 0x80;
const FAMILIAR = Buffer.from(FAMILIAR_TEXT, 'latin1');
const BEGIN = FAMILIAR.length;
const HASH_BITS = 12;

/** The longest text that can be packed: every place before another can be said. */
export const MOST_PACKED = 0xffff - BEGIN;

/** What was damaged: packed bytes that say nothing. */
export class NotPacked extends Error {}

/** Packs and unpacks, one text at a time. */
export class TextPacker {
  /** The familiar text, and behind it the text at hand. */
  readonly #text = Buffer.alloc(BEGIN + MOST_PACKED);
  #end = BEGIN;
  /** By the hash of four bytes: where they stood last. */
  readonly #places = new Uint16Array(1 << HASH_BITS);
  readonly #familiarPlaces: Uint16Array;

  constructor() {
    FAMILIAR.copy(this.#text);
    for (let at = 0; at + LEAST <= BEGIN; at++) this.#places[hashAt(this.#text, at)] = at;
    this.#familiarPlaces = this.#places.slice();
  }

  /** Takes up the beginning of a text that is to be packed. Answers how many bytes that has in UTF-8. */
  begin(text: string): number {
    this.#end = BEGIN;
    return this.add(text);
  }

  /** Takes up more of it: all of it has at most MOST_PACKED bytes. Answers how many this has. */
  add(text: string): number {
    const bytes = this.#text.write(text, this.#end);
    this.#end += bytes;
    return bytes;
  }

  /** Packs it. Answers where it ends in `target`, which must have `roomFor` its bytes behind `start`. */
  pack(target: Buffer, start: number): number {
    const text = this.#text;
    const places = this.#places;
    const end = this.#end;
    places.set(this.#familiarPlaces);
    const last = end - LEAST;
    let to = start;
    let plainFrom = BEGIN;
    let at = BEGIN;
    let misses = 0;
    while (at <= last) {
      const hash = hashAt(text, at);
      let place = places[hash]!;
      places[hash] = at;
      if (
        text[place] !== text[at] ||
        text[place + 1] !== text[at + 1] ||
        text[place + 2] !== text[at + 2] ||
        text[place + 3] !== text[at + 3]
      ) {
        // Where nothing is found for long, as in what looks random, it is looked for less often.
        at += 1 + (misses++ >> 1);
        continue;
      }
      let matched = at + LEAST;
      const least = Math.max(plainFrom, matched - MOST);
      while (at > least && place > 0 && text[at - 1] === text[place - 1]) {
        at--;
        place--;
      }
      const most = Math.min(at + MOST, end);
      const back = at - place;
      while (matched < most && text[matched] === text[matched - back]) matched++;
      to = putPlain(text, plainFrom, at, target, to);
      target[to++] = 0x80 | (matched - at - LEAST);
      target[to++] = back >>> 8;
      target[to++] = back;
      at = matched;
      plainFrom = at;
      misses = 0;
    }
    return putPlain(text, plainFrom, end, target, to);
  }

  /** Unpacks so many bytes; they stand in what is answered until the next call. Throws NotPacked. */
  unpack(packed: Buffer, start: number, end: number, bytes: number): Buffer {
    const text = this.#text;
    const stop = BEGIN + bytes;
    let from = start;
    let at = BEGIN;
    while (from < end) {
      const step = packed[from++]!;
      if (step < 0x80) {
        const length = step + 1;
        if (from + length > end || at + length > stop) throw new NotPacked('more bytes than there may be');
        for (let i = 0; i < length; i++) text[at + i] = packed[from + i]!;
        from += length;
        at += length;
      } else {
        const length = (step & 0x7f) + LEAST;
        const place = at - ((packed[from]! << 8) | packed[from + 1]!);
        from += 2;
        if (from > end || place < 0 || place >= at || at + length > stop)
          throw new NotPacked('bytes from where there are none');
        for (let i = 0; i < length; i++) text[at + i] = text[place + i]!;
        at += length;
      }
    }
    if (at !== stop) throw new NotPacked('fewer bytes than there should be');
    return text.subarray(BEGIN, stop);
  }
}

/** The bytes that so many can take at most. */
export function roomFor(bytes: number): number {
  return bytes + Math.ceil(bytes / MOST_PLAIN);
}

function putPlain(text: Buffer, from: number, end: number, target: Buffer, start: number): number {
  let to = start;
  for (let at = from; at < end;) {
    const length = Math.min(MOST_PLAIN, end - at);
    target[to++] = length - 1;
    for (let i = 0; i < length; i++) target[to + i] = text[at + i]!;
    to += length;
    at += length;
  }
  return to;
}

function hashAt(text: Buffer, at: number): number {
  const four = text[at]! | (text[at + 1]! << 8) | (text[at + 2]! << 16) | (text[at + 3]! << 24);
  return Math.imul(four, 0x9e3779b1) >>> (32 - HASH_BITS);
}
