import { isJsonObject, type JsonValue } from '#kernel/json';

/** Whether arrays and objects are nested deeper than so many levels, of which the value itself is the first (`ParseJsonOptions.maxDepth`). */
export function nestsDeeper(value: JsonValue, most: number): boolean {
  if (Array.isArray(value)) return most === 0 || value.some((one: JsonValue) => nestsDeeper(one, most - 1));
  if (!isJsonObject(value)) return false;
  if (most === 0) return true;
  for (const key of Object.keys(value)) if (nestsDeeper(value[key]!, most - 1)) return true;
  return false;
}
