import { isJsonObject, type JsonObject } from '#kernel/json';

/** The object that was answered; undefined where it is none. */
export function readObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
