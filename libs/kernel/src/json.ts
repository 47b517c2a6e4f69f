/** A number whose own spelling must survive (floats and big integers of room versions 1 to 5). */
export class JsonNumber {
  constructor(readonly text: string) {}
  /** The nearest double: for comparisons and power levels, never for signatures. */
  valueOf(): number {
    return Number(this.text);
  }
  toJSON(): number {
    return Number(this.text);
  }
}

export type JsonValue = string | number | boolean | null | JsonNumber | JsonArray | JsonObject;
export type JsonArray = readonly JsonValue[];
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** Whether a parsed value is a JSON object (not an array, not null, not a kept number). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber);
}

/** The object that bytes of somebody else are as JSON; undefined where they are none. */
export function findJsonObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
