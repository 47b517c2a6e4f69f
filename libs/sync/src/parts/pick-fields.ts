import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';

/**
 * The parts of an event that `event_fields` names, each a path of names with dots between them (a dot within a name is
 * written with a backslash). JSON text to JSON text. What the event does not have is left out.
 */
export function pickFields(json: string, paths: readonly string[]): string {
  // Rooms of version 1 to 5 have numbers that a double would change. What is in a view has been parsed before: any depth.
  const event = parseJson(json, { lenient: true, maxDepth: Number.MAX_SAFE_INTEGER }) as JsonObject;
  const picked = bare();
  for (const path of paths) pick(event, picked, splitPath(path));
  return canonicalJson(picked as JsonObject, { lenient: true });
}

/** As `pickFields`, of each of some events; all of them as they are where no fields are named. */
export function pickFieldsOfAll(texts: readonly string[], paths: readonly string[] | undefined): readonly string[] {
  return paths === undefined ? texts : texts.map((text) => pickFields(text, paths));
}

function pick(from: JsonObject, into: Record<string, unknown>, [name = '', ...rest]: readonly string[]): void {
  if (!Object.hasOwn(from, name)) return;
  const value: JsonValue | undefined = from[name];
  if (rest.length === 0) {
    into[name] = value;
    return;
  }
  if (!isJsonObject(value)) return;
  const inner = Object.hasOwn(into, name) ? into[name] : undefined;
  // Another path has taken all of it already.
  if (inner === value) return;
  const target = (inner ?? bare()) as Record<string, unknown>;
  pick(value, target, rest);
  if (Object.keys(target).length > 0) into[name] = target;
}

/** An object in which `__proto__` is a key like any other. */
function bare(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

function splitPath(path: string): string[] {
  return (path.match(/(?:\\.|[^.\\])+/g) ?? []).map((name) => name.replace(/\\(.)/g, '$1'));
}
