import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '#kernel/json';

/**
 * What is left of an object where only integers within +-(2^53-1) and well-formed text can be held: entries and list items
 * that are something else go, a whole number in another spelling (1.0, 1e3) becomes that number. For content of a room version
 * that allows more than the one it moves to.
 */
export function keepCanonical(object: JsonObject): JsonObject {
  const kept = Object.entries(object).flatMap(([key, value]) => {
    const one = key.isWellFormed() ? keep(value) : undefined;
    return one === undefined ? [] : [[key, one] as const];
  });
  return Object.fromEntries(kept);
}

function keep(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? value : undefined;
  if (typeof value === 'number' || value instanceof JsonNumber) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(keep).filter((item) => item !== undefined);
  return isJsonObject(value) ? keepCanonical(value) : value;
}
