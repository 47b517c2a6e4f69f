import { isUtf8 } from 'node:buffer';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';

/** How deep objects and arrays may nest: what recursion further down can bear. */
export const MAX_DEPTH = 100;

/**
 * Reads a request's body: M_NOT_JSON when it is not UTF-8 or not JSON, M_BAD_JSON when it is not an object or nests deeper
 * than 100. A key `__proto__` is a key like any other.
 */
export function parseJsonObject(body: Buffer): JsonObject {
  if (!isUtf8(body)) throw new MatrixError('M_NOT_JSON', 'The request body is not UTF-8');
  if (nestsTooDeep(body)) throw new MatrixError('M_BAD_JSON', `The request body nests deeper than ${MAX_DEPTH}`);
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new MatrixError('M_NOT_JSON');
  }
  if (!isJsonObject(value)) throw new MatrixError('M_BAD_JSON', 'The request body is not a JSON object');
  return value;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function nestsTooDeep(body: Buffer): boolean {
  if (body.length <= 2 * MAX_DEPTH) return false; // Too short to open and close that often.
  let depth = 0;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i];
    if (byte === QUOTE) {
      i = endOfString(body, i);
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    }
  }
  return false;
}

function endOfString(body: Buffer, start: number): number {
  for (let end = body.indexOf(QUOTE, start + 1); end >= 0; end = body.indexOf(QUOTE, end + 1)) {
    let backslashes = 0;
    while (body[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return body.length;
}
