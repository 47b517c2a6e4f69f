import { isUtf8 } from 'node:buffer';
import { JsonNumber, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { fitsDouble } from './fits-double.js';
import { spellDouble } from './spell-double.js';

export interface ParseJsonOptions {
  /** Keep floats and big integers (as JsonNumber where a double would lose their spelling) instead of refusing them. */
  readonly lenient?: boolean;
  /**
   * In the lenient form too, read an integer written as -0 or with an exponent as the integer it is, where a double holds
   * it: for what is not signed yet. Other servers would spell `1e10` otherwise, and so hash another text.
   */
  readonly plainIntegers?: boolean;
  /**
   * As `plainIntegers`, and what is no integer is spelled as `spellDouble` does. What is beyond all doubles is refused, and integers of more
   * than 64 bits. NOTSPEC: Synapse takes no event with one (1.163), nor any that stands on it, so that by one message it was in that room no more.
   */
  readonly respell?: boolean;
  /**
   * In the lenient form, read every number as a double: for what is never signed. One that a double cannot stand for (see
   * `fitsDouble`) is refused, for it would be kept as another number.
   */
  readonly doubles?: boolean;
  /** How deep arrays and objects may be nested; 100 unless told. */
  readonly maxDepth?: number;
  /**
   * How many values there may be in all: for texts of strangers, of which a few MB can be millions of empty objects. They are counted
   * before anything is made of them. As many as there are unless told.
   */
  readonly maxValues?: number;
  /**
   * Leave objects their prototype. PERF: taking it off costs as much as the native parser does (bench/parse-json.ts). Only
   * for readers that ask a key for its type, never whether it is there.
   */
  readonly keepPrototypes?: boolean;
}

/** How deep arrays and objects may be nested unless told. */
export const MAX_DEPTH = 100;
const INTEGER = /^-?\d+$/;
/** With its sign. */
const LONGEST_OF_64_BITS = 20;
/** An integer that canonical JSON spells otherwise. */
const OTHER_INTEGER = /^-?(?:0|[1-9]\d*)[eE]\+?\d+$|^-0$/;
/** An escaped surrogate, paired or not. May also match an escaped backslash before "ud8": it only starts a closer look. */
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/**
 * The value of a JSON text (or its UTF-8 bytes), with what `JSON.parse` lets pass refused or kept:
 * - M_NOT_JSON: a syntax error, anything after the value, bytes that are not UTF-8;
 * - M_TOO_LARGE: more than `maxValues` values;
 * - M_BAD_JSON: a key twice in one object, half a surrogate pair, nesting beyond `maxDepth` and, unless lenient, a number
 *   that canonical JSON cannot hold: with a fraction, or outside +-(2^53-1); as doubles, one that would be changed. `-0` and `1e10` are the integers 0 and
 *   10000000000 (specification, appendices, "Canonical JSON" and its last example).
 * Objects have no prototype unless told, and `__proto__` and `constructor` are keys like any other. When lenient, a number
 * whose spelling a double would change is a JsonNumber.
 */
export function parseJson(input: string | Uint8Array, options: ParseJsonOptions = {}): JsonValue {
  const numbers: NumberRules = {
    lenient: options.lenient === true,
    plainIntegers: options.plainIntegers === true || options.respell === true,
    respell: options.respell === true,
    doubles: options.doubles === true,
  };
  const text = typeof input === 'string' ? input : decode(input);
  if (hasMoreValues(text, options.maxValues)) throw new MatrixError('M_TOO_LARGE', 'Too many values');
  const value = parseNative(text);
  // PERF: the native parser plus one pass over the text and one over the value. It takes no longer than a parser written in
  // TypeScript that checks nothing (bench/parse-json.ts), and its strings are copies: slices would keep the text of a whole
  // transaction alive with one event of it.
  const seen = scan(text, numbers);
  if (seen.depth > (options.maxDepth ?? MAX_DEPTH)) throw new MatrixError('M_BAD_JSON', 'Nested too deeply');
  if (seen.oddNumber !== undefined && (!numbers.lenient || numbers.doubles)) {
    const wanted = numbers.doubles ? 'Too large or too precise a number' : 'Not an integer within +-(2^53-1)';
    throw new MatrixError('M_BAD_JSON', `${wanted}: ${seen.oddNumber.slice(0, 40)}`);
  }
  const wellFormed = !SURROGATE_ESCAPE.test(text) && text.isWellFormed();
  // A key that is given twice is one key of the value, so fewer keys than members means duplicates.
  const keepPrototypes = options.keepPrototypes === true;
  if (settle(value, wellFormed, keepPrototypes) !== seen.members)
    throw new MatrixError('M_BAD_JSON', 'A key appears twice in an object');
  return seen.oddNumber === undefined ? value : new NumberKeeper(text, numbers, keepPrototypes).read();
}

type NumberRules = Readonly<Required<Pick<ParseJsonOptions, 'lenient' | 'plainIntegers' | 'respell' | 'doubles'>>>;

function decode(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new MatrixError('M_NOT_JSON', 'Not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function parseNative(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue; // what JSON.parse answers is a JsonValue by its definition
  } catch {
    throw new MatrixError('M_NOT_JSON');
  }
}

/** Whether a text, which may be no JSON, has more values than that: as many as it has commas and opening brackets, or one more. */
function hasMoreValues(text: string, most = Infinity): boolean {
  // Two values have something between them.
  if (text.length < 2 * most) return false;
  let values = 1;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) {
      i = endOfString(text, i);
      if (i < 0) return false;
    } else if (unit === COMMA || unit === 0x7b || unit === 0x5b) {
      if (++values > most) return true;
    }
  }
  return false;
}

interface Seen {
  members: number;
  depth: number;
  /** The first number that a double cannot stand for (lenient), or that canonical JSON refuses (strict). */
  oddNumber: string | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const MINUS = 0x2d;

/** Counts members and depth of a valid JSON text and looks at the spelling of its numbers. */
function scan(text: string, numbers: NumberRules): Seen {
  const seen: Seen = { members: 0, depth: 0, oddNumber: undefined };
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) {
      i = endOfString(text, i);
    } else if (unit === COLON) {
      seen.members++;
    } else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > seen.depth) seen.depth = depth;
    } else if (unit === 0x7d || unit === 0x5d) {
      depth--;
    } else if (unit === MINUS || (unit >= 0x30 && unit <= 0x39)) {
      const end = endOfNumber(text, i);
      if (seen.oddNumber === undefined && isOddNumber(text, i, end, numbers)) seen.oddNumber = text.slice(i, end);
      i = end - 1;
    }
  }
  return seen;
}

/** Where the string that opens at `start` has its closing quote; below 0 where it has none. */
function endOfString(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return end;
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    // An even number of backslashes escape each other, not the quote.
    if ((end - before) % 2 === 1) return end;
  }
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  for (; end < text.length; end++) {
    const unit = text.charCodeAt(end);
    const inNumber = (unit >= 0x30 && unit <= 0x39) || unit === 0x2e || unit === 0x2b || unit === MINUS;
    if (!inNumber && unit !== 0x65 && unit !== 0x45) break;
  }
  return end;
}

function isOddNumber(text: string, start: number, end: number, numbers: NumberRules): boolean {
  let digitsOnly = true;
  for (let i = start + 1; i < end && digitsOnly; i++)
    digitsOnly = text.charCodeAt(i) >= 0x30 && text.charCodeAt(i) <= 0x39;
  if (digitsOnly && end - start < 16 && !(end - start === 2 && text.startsWith('-0', start))) return false;
  const spelling = text.slice(start, end);
  if (numbers.doubles) return !fitsDouble(spelling);
  if (numbers.lenient) return losesSpelling(spelling, numbers);
  return !(digitsOnly || OTHER_INTEGER.test(spelling)) || !Number.isSafeInteger(Number(spelling));
}

/** Whether a number must be kept as text in the lenient form. */
function losesSpelling(spelling: string, { plainIntegers, respell }: NumberRules): boolean {
  if (respell && isTooLarge(spelling)) return true;
  const number = Number(spelling);
  if (spelling === (Number.isInteger(number) ? String(number) : spellDouble(number))) return false;
  return !(plainIntegers && OTHER_INTEGER.test(spelling) && Number.isSafeInteger(number));
}

/** Whether a number is beyond what other servers take. */
function isTooLarge(number: string): boolean {
  if (!INTEGER.test(number)) return !Number.isFinite(Number(number));
  return number.length > LONGEST_OF_64_BITS || BigInt.asIntN(64, BigInt(number)) !== BigInt(number);
}

/**
 * Takes the prototypes off the objects of a freshly parsed value (unless told) and answers how many keys they have in all.
 * Looks into the strings unless the text is known to be `wellFormed`, and throws M_BAD_JSON for half a surrogate pair.
 */
function settle(value: JsonValue | undefined, wellFormed: boolean, keepPrototypes: boolean): number {
  if (typeof value === 'string' && !wellFormed) checkWellFormed(value);
  if (typeof value !== 'object' || value === null) return 0;
  let keys = 0;
  if (Array.isArray(value)) {
    for (const item of value) keys += settle(item, wellFormed, keepPrototypes);
    return keys;
  }
  const object = value as Record<string, JsonValue>; // neither array nor null, and no JsonNumber yet
  if (!keepPrototypes) Object.setPrototypeOf(object, null);
  for (const key in object) {
    if (!wellFormed) checkWellFormed(key);
    keys += 1 + settle(object[key], wellFormed, keepPrototypes);
  }
  return keys;
}

function checkWellFormed(text: string): void {
  if (!text.isWellFormed()) throw new MatrixError('M_BAD_JSON', 'A string holds half a surrogate pair');
}

/** Reads a text already found valid once more, with odd numbers kept. Slower, and rare: only old rooms have such numbers. */
class NumberKeeper {
  #at = 0;

  constructor(
    readonly text: string,
    readonly numbers: NumberRules,
    readonly keepPrototypes: boolean,
  ) {}

  read(): JsonValue {
    const first = this.#skipTo(/[^\s,:]/g);
    if (first === '{') return this.#readObject();
    if (first === '[') return this.#readArray();
    const end = first === '"' ? endOfString(this.text, this.#at) + 1 : this.#endOfWord();
    const spelling = this.text.slice(this.#at, end);
    this.#at = end;
    if (first === '-' || (first >= '0' && first <= '9')) {
      return losesSpelling(spelling, this.numbers) ? new JsonNumber(this.#spell(spelling)) : Number(spelling);
    }
    return parseNative(spelling);
  }

  #spell(number: string): string {
    if (!this.numbers.respell) return number;
    if (isTooLarge(number)) throw new MatrixError('M_BAD_JSON', `Too large a number: ${number.slice(0, 40)}`);
    return INTEGER.test(number) ? number : spellDouble(Number(number));
  }

  #readObject(): JsonValue {
    const object: Record<string, JsonValue> = Object.setPrototypeOf({}, null);
    this.#at++;
    while (this.#skipTo(/[^\s,:]/g) !== '}') {
      const key = this.read() as string; // the text is valid: what stands here is a key
      object[key] = this.read();
    }
    this.#at++;
    // A copy by spreading has `__proto__` as a key of its own, as the native parser makes it.
    return this.keepPrototypes ? { ...object } : object;
  }

  #readArray(): JsonValue {
    const array: JsonValue[] = [];
    this.#at++;
    while (this.#skipTo(/[^\s,:]/g) !== ']') array.push(this.read());
    this.#at++;
    return array;
  }

  #skipTo(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text);
    this.#at = found?.index ?? this.text.length;
    return found?.[0] ?? '';
  }

  #endOfWord(): number {
    const stop = /[\s,:\]}]/g;
    stop.lastIndex = this.#at;
    return stop.exec(this.text)?.index ?? this.text.length;
  }
}
