import { createRequire } from 'node:module';
import { messageOf } from '#kernel/message-of';

/** What is wrong with a file of settings, a line for each fault. None of them holds a value. */
export class MappingFaults extends Error {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('; '));
    this.name = 'MappingFaults';
  }
}

type Mapping = Readonly<Record<string, unknown>>;

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';

/** The mapping that a text of YAML is. Throws MappingFaults. */
export function parseMapping(text: string): Mapping {
  // Loaded only where there is a file to read.
  const { parseDocument } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  const document = parseDocument(text, { prettyErrors: false });
  // Neither the text nor a piece of it is told: it has secrets.
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw new MappingFaults([`not YAML (${problem.code}, at character ${problem.pos[0]})`]);
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    throw new MappingFaults([messageOf(error)]);
  }
  if (!isMapping(value)) throw new MappingFaults(['not a mapping']);
  return value;
}

/** Reads the keys of a mapping, and notes what is wrong with each: at the end `check` throws all of it. A key that nobody took is a fault. */
export class MappingReader {
  readonly #faults: string[];
  readonly #taken = new Set<string>();

  constructor(
    private readonly mapping: Mapping,
    private readonly name = '',
    faults: string[] = [],
  ) {
    this.#faults = faults;
  }

  /** Notes a fault of a key. */
  fault(key: string, words: string): undefined {
    this.#faults.push(`${this.name}${key}: ${words}`);
  }

  has(key: string): boolean {
    return this.mapping[key] !== undefined && this.mapping[key] !== null;
  }

  /** A text of a form that `words` tell; undefined where it is absent or wrong. */
  findText(key: string, words: string, is: (text: string) => boolean = () => true): string | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    return isText(value) && is(value) ? value : this.fault(key, `must be ${words}`);
  }

  /** As `findText`, of what must be there: '' where it is not, which is a fault. */
  getText(key: string, words: string, is?: (text: string) => boolean): string {
    if (!this.has(key)) this.fault(key, `required: ${words}`);
    return this.findText(key, words, is) ?? '';
  }

  /** One of some words; the first where it is absent. */
  getWord<T extends string>(key: string, words: readonly [T, ...T[]]): T {
    const value = this.#take(key);
    if (value === undefined) return words[0];
    const word = words.find((one) => one === value);
    if (word === undefined) this.fault(key, `must be one of ${words.join(', ')}`);
    return word ?? words[0];
  }

  getFlag(key: string, absent: boolean): boolean {
    const value = this.#take(key);
    if (value === undefined) return absent;
    if (typeof value !== 'boolean') this.fault(key, 'must be true or false');
    return value === true;
  }

  /** A list of texts; `absent` where it is absent. */
  getTexts(
    key: string,
    words: string,
    absent: readonly string[] = [],
    is?: (text: string) => boolean,
  ): readonly string[] {
    const value = this.#take(key);
    if (value === undefined) return absent;
    const areTexts = Array.isArray(value) && value.every((one) => isText(one) && is?.(one) !== false);
    if (!areTexts) this.fault(key, `must be a list of ${words}`);
    return areTexts ? Object.freeze([...(value as string[])]) : [];
  }

  /** A mapping within; an empty one where it is absent. Its faults are noted here. */
  within(key: string): MappingReader {
    const value = this.#take(key) ?? {};
    if (!isMapping(value)) this.fault(key, 'must be a mapping');
    return new MappingReader(isMapping(value) ? value : {}, `${this.name}${key}.`, this.#faults);
  }

  /** The mappings of a list. */
  list(key: string): MappingReader[] {
    const value = this.#take(key);
    if (!Array.isArray(value) || !value.every(isMapping)) {
      this.fault(key, 'must be a list of mappings');
      return [];
    }
    return value.map((one, i) => new MappingReader(one, `${this.name}${key}[${i}].`, this.#faults));
  }

  /** The keys that there are, for mappings whose keys are names. */
  get keys(): readonly string[] {
    return Object.keys(this.mapping);
  }

  /** Notes the keys that nobody took: a slip of the pen would be taken for a setting that is there. */
  refuseOthers(): void {
    for (const key of Object.keys(this.mapping)) if (!this.#taken.has(key)) this.fault(key, 'no such key');
  }

  /** Throws MappingFaults where anything was wrong, here or within. */
  check(): void {
    if (this.#faults.length > 0) throw new MappingFaults(this.#faults);
  }

  #take(key: string): unknown {
    this.#taken.add(key);
    const value = Object.hasOwn(this.mapping, key) ? this.mapping[key] : undefined;
    return value ?? undefined;
  }
}
