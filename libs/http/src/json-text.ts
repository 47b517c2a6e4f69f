import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { parseJson, type ParseJsonOptions } from '#protocol/canonical-json/parse-json';

/** How deep objects and arrays may nest: what recursion further down can bear. */
const MAX_DEPTH = 100;

const DOUBLES: ParseJsonOptions = Object.freeze({
  lenient: true,
  doubles: true,
  keepPrototypes: true,
  maxDepth: MAX_DEPTH,
});
/** Content is one level of its event, which must be readable again by the same limit. */
const EXACT: ParseJsonOptions = Object.freeze({
  lenient: true,
  plainIntegers: true,
  keepPrototypes: true,
  maxDepth: MAX_DEPTH - 1,
});

/**
 * Reads a request's body: M_NOT_JSON when it is not UTF-8 or not JSON; M_BAD_JSON when it is not an object, nests deeper than
 * 100 (content of events: 99), has a key twice in one object, or half a surrogate pair anywhere. So nothing that comes in
 * here (a name, a topic, account data) is a text that an event could not hold. A key `__proto__` is a key like any other.
 *
 * Numbers are doubles unless `exactNumbers` is set: then each that a double would change is a JsonNumber. For content of
 * events: which numbers it may have is for the room's version to say.
 */
export function parseJsonObject(body: Buffer, exactNumbers = false): JsonObject {
  const value = parseJson(body, exactNumbers ? EXACT : DOUBLES);
  if (!isJsonObject(value)) throw new MatrixError('M_BAD_JSON', 'The request body is not a JSON object');
  return value;
}
