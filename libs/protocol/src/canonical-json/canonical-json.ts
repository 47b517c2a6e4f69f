import { JsonNumber, type JsonArray, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { spellDouble } from './spell-double.js';

/** Printable ASCII without quote and backslash: nothing to escape, and one UTF-16 unit is one code point. */
const PLAIN = /^[ !#-[\]-~]*$/;
const SURROGATE = /[\ud800-\udfff]/;
/** Where testing a text for PLAIN stops being cheaper than JSON.stringify. */
const SHORT = 100;

export interface CanonicalJsonOptions {
  /** Allow floats and integers of any size, in their own spelling, or that of `spellDouble`: events of room versions 1 to 5. */
  readonly lenient?: boolean;
}

/**
 * The canonical JSON text of a value: keys sorted by Unicode code point, no white space (specification, appendices,
 * "Canonical JSON"). Keys whose value is undefined are left out, -0 is written 0. Throws M_BAD_JSON for what has no such
 * text: lone surrogates and, unless lenient, numbers that are not integers within +-(2^53-1).
 */
export function canonicalJson(value: JsonValue, options: CanonicalJsonOptions = {}): string {
  return write(value, options.lenient === true);
}

/** The keys of an object whose value is not undefined, by Unicode code point. */
export function canonicalKeys(object: JsonObject): string[] {
  const keys = Object.keys(object);
  let count = 0;
  let sorted = true;
  for (const key of keys) {
    if (object[key] === undefined) continue;
    if (count > 0 && sorted) sorted = keys[count - 1]! < key;
    keys[count++] = key;
  }
  if (count < keys.length) keys.length = count;
  if (!sorted) keys.sort();
  // UTF-16 order is code point order unless there are surrogates: only then sort the slow way.
  return count > 1 && keys.some((key) => SURROGATE.test(key)) ? keys.sort(compareCodePoints) : keys;
}

/** The canonical JSON text of a string. Throws M_BAD_JSON for lone surrogates, which no UTF-8 text can hold. */
export function canonicalString(text: string): string {
  if (text.length < SHORT && PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new MatrixError('M_BAD_JSON', 'A string holds half a surrogate pair');
  return JSON.stringify(text);
}

function write(value: JsonValue | undefined, lenient: boolean): string {
  switch (typeof value) {
    case 'string':
      return canonicalString(value);
    case 'number':
      return writeNumber(value, lenient);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return writeArray(value as JsonArray, lenient);
      if (value instanceof JsonNumber) return writeKeptNumber(value, lenient);
      return writeObject(value as JsonObject, lenient);
    default:
      throw new MatrixError('M_BAD_JSON', `JSON has no ${typeof value}`);
  }
}

function writeObject(object: JsonObject, lenient: boolean): string {
  let text = '{';
  for (const key of canonicalKeys(object)) {
    text += `${text.length === 1 ? '' : ','}${canonicalString(key)}:${write(object[key], lenient)}`;
  }
  return `${text}}`;
}

function writeArray(array: JsonArray, lenient: boolean): string {
  let text = '[';
  for (let i = 0; i < array.length; i++) text += (i === 0 ? '' : ',') + write(array[i], lenient);
  return `${text}]`;
}

function writeNumber(value: number, lenient: boolean): string {
  if (Number.isSafeInteger(value)) return String(value);
  if (lenient && Number.isFinite(value)) return Number.isInteger(value) ? String(value) : spellDouble(value);
  throw new MatrixError('M_BAD_JSON', `Not an integer within +-(2^53-1): ${value}`);
}

function writeKeptNumber(value: JsonNumber, lenient: boolean): string {
  if (lenient) return value.text === '-0' ? '0' : value.text;
  const number = Number(value.text);
  if (Number.isSafeInteger(number) && String(number) === value.text) return value.text;
  throw new MatrixError('M_BAD_JSON', `Not an integer within +-(2^53-1): ${value.text.slice(0, 40)}`);
}

/** Order by Unicode code point, which is the order of the UTF-8 bytes; `<` goes by UTF-16 units. */
export function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
