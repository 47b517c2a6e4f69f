import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
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
  respell: true,
  keepPrototypes: true,
  maxDepth: MAX_DEPTH - 1,
});

/**
 * Reads a request's body: M_NOT_JSON when it is not UTF-8 or not JSON; M_BAD_JSON when it is not an object, nests deeper than
 * 100 (content of events: 99), has a key twice in one object, or half a surrogate pair anywhere. So nothing that comes in
 * here (a name, a topic, account data) is a text that an event could not hold. A key `__proto__` is a key like any other.
 *
 * Numbers are doubles, and one that a double would change is refused with M_BAD_JSON: what a client stores (account data, a
 * profile, a filter, a push rule) comes back as it was. With `exactNumbers` such a number is a JsonNumber instead, spelled as other servers
 * do: for content of events, where the room's version says which numbers it may have.
 */
export function parseJsonObject(body: Buffer, exactNumbers = false): JsonObject {
  const value = parseJson(body, exactNumbers ? EXACT : DOUBLES);
  if (!isJsonObject(value)) throw new MatrixError('M_BAD_JSON', 'The request body is not a JSON object');
  return value;
}

/**
 * Reads JSON that a parameter of a query holds, by the rules of a body with doubles. Throws M_NOT_JSON and M_BAD_JSON, naming
 * the parameter.
 */
export function parseJsonParameter(name: string, text: string): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(text, DOUBLES);
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error;
    throw new MatrixError(error.errcode, `${name}: ${error.errcode === 'M_NOT_JSON' ? 'not JSON' : error.message}`);
  }
  if (!isJsonObject(value)) throw new MatrixError('M_BAD_JSON', `${name}: must be an object`);
  return value;
}
