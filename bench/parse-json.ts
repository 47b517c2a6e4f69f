import type { JsonValue } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { measure, sampleEvent } from './measure.js';

const FOR_BODIES = { lenient: true, plainIntegers: true, keepPrototypes: true } as const;

/**
 * Why parseJson is the native parser plus two passes, and canonicalJson plain string building: each beside what it would
 * be measured against. Answers lines of text, microseconds each.
 */
export function benchParseJson(): string[] {
  const text = JSON.stringify(sampleEvent());
  const big = JSON.stringify({ pdus: Array.from({ length: 50 }, sampleEvent), origin: 'domain' });
  const value = parseJson(text);
  return [text, big]
    .flatMap((json) => [
      measure(`JSON.parse, ${json.length} characters`, () => JSON.parse(json) as JsonValue),
      measure(`parseJson, ${json.length} characters`, () => parseJson(json)),
      measure(`parseJson as for bodies, ${json.length} characters`, () => parseJson(json, FOR_BODIES)),
      measure(`a parser written in TypeScript, ${json.length} characters`, () => readPlainly(json)),
    ])
    .concat([
      measure('JSON.stringify of one event', () => JSON.stringify(value)),
      measure('canonicalJson of one event', () => canonicalJson(value)),
    ]);
}

/** A straightforward recursive parser, without the checks of parseJson. */
function readPlainly(text: string): JsonValue {
  let at = 0;
  const read = (): JsonValue => {
    const first = text[at];
    if (first === '{' || first === '[') {
      at++;
      const object: Record<string, JsonValue> = Object.setPrototypeOf({}, null);
      const array: JsonValue[] = [];
      while (text[at] !== '}' && text[at] !== ']') {
        if (text[at] === ',') at++;
        const item = read();
        if (first === '{') {
          at++;
          object[item as string] = read();
        } else {
          array.push(item);
        }
      }
      at++;
      return first === '{' ? object : array;
    }
    const start = at;
    if (first === '"') {
      do at = text.indexOf('"', at + 1);
      while (text[at - 1] === '\\');
      const string = text.slice(start + 1, at++);
      return string.includes('\\') ? (JSON.parse(`"${string}"`) as string) : string;
    }
    while (at < text.length && !',}]'.includes(text[at]!)) at++;
    const word = text.slice(start, at);
    if (word === 'true' || word === 'false') return word === 'true';
    return word === 'null' ? null : Number(word);
  };
  return read();
}
