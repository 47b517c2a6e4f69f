/** A text with the values of names in it, such as `{given_name} {family_name}`: how claims and attributes become what is known here. */
export type Template = readonly (string | Place)[];

interface Place {
  /** The way to the value: the names of objects within each other. */
  readonly path: readonly string[];
  /** Only what stands before the first of this in the value. */
  readonly before?: string;
}

const PLACE = /\{([^{}|]+)(?:\|before ([^{}|\s]))?\}/g;

/** Reads a template: names in braces, with `|before @` what stands before an @. Undefined where a brace is open or a name empty. */
export function parseTemplate(text: string): Template | undefined {
  const parts: (string | Place)[] = [];
  let end = 0;
  for (const match of text.matchAll(PLACE)) {
    parts.push(text.slice(end, match.index));
    const [whole, name = '', before] = match;
    // Names of claims may be URLs, with dots in them.
    const path = name.includes('/') ? [name.trim()] : name.trim().split('.');
    if (path.some((one) => one === '')) return undefined;
    parts.push({ path, ...(before === undefined ? {} : { before }) });
    end = match.index + whole.length;
  }
  parts.push(text.slice(end));
  const isOpen = parts.some((part) => typeof part === 'string' && /[{}]/.test(part));
  return isOpen ? undefined : Object.freeze(parts.filter((part) => part !== ''));
}

/** The value that a path leads to. */
export function valueAt(values: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  let value: unknown = values;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** The text; undefined where a value is missing, empty, or no text or number. */
export function fillTemplate(template: Template, values: Readonly<Record<string, unknown>>): string | undefined {
  const texts = template.map((part) => (typeof part === 'string' ? part : textOf(part, values)));
  return texts.some((text) => text === undefined) ? undefined : texts.join('').trim() || undefined;
}

function textOf({ path, before }: Place, values: Readonly<Record<string, unknown>>): string | undefined {
  const value = valueAt(values, path);
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value);
  const cut = before === undefined ? text : (text.split(before, 1)[0] ?? '');
  return cut === '' ? undefined : cut;
}
