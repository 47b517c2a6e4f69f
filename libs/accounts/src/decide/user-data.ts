import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';

/**
 * Private data has the shape of a profile in the API of 2015: any value under a key. Today it is an object under a type. A value that is an
 * object is that object; any other stands in one, under its key. So is an object that would else be read as something else: the empty one
 * (nothing is kept), and one that has the key alone.
 */
export function contentOfValue(key: string, value: JsonValue): JsonObject {
  return isJsonObject(value) && !isEmpty(value) && !hasAlone(value, key) ? value : { [key]: value };
}

/** What was kept so; undefined where nothing is. */
export function valueOfContent(key: string, content: JsonObject): JsonValue | undefined {
  if (isEmpty(content)) return undefined;
  return hasAlone(content, key) ? content[key] : content;
}

function isEmpty(content: JsonObject): boolean {
  return Object.keys(content).length === 0;
}

function hasAlone(content: JsonObject, key: string): boolean {
  return Object.hasOwn(content, key) && Object.keys(content).length === 1;
}
