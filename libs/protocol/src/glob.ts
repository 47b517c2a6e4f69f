/** Whether a text matches. */
export type TextMatcher = (text: string) => boolean;

const ANY = Symbol('?');
const MANY = Symbol('*');
type Token = string | typeof ANY | typeof MANY;

/**
 * A matcher for whole texts: `*` is any number of characters, `?` exactly one, every other character itself
 * (specification, appendices, "Glob-style matching"). The time is at most text times pattern by 32, whatever the pattern: both
 * come from users, so no regular expression that could backtrack is made of it.
 */
export function compileGlob(pattern: string): TextMatcher {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern;
  return wholeMatcher(tokensOf(pattern));
}

/**
 * As `compileGlob`, where `*` is the only character that stands for others (client-server specification, "Filtering"). In
 * the same time.
 */
export function compileStarGlob(pattern: string): TextMatcher {
  if (!pattern.includes('*')) return (text) => text === pattern;
  return wholeMatcher(tokensOf(pattern, '*'));
}

function wholeMatcher(tokens: readonly Token[]): TextMatcher {
  const machine = machineOf(tokens);
  return (text) =>
    accepts(
      machine,
      text,
      (at) => at === 0,
      (at) => at === text.length,
    );
}

/**
 * A matcher for texts with a substring that matches and that starts and ends at a word boundary: the start or end of the
 * text, or beside a character that is none of A-Z, a-z, 0-9 and _ (client-server specification, "Push Rules", `event_match`). In the same time.
 */
export function compileWordGlob(pattern: string): TextMatcher {
  if (!/[*?]/.test(pattern)) return (text) => hasWords(text, pattern);
  const machine = machineOf(tokensOf(pattern));
  return (text) => {
    const mayBe = (at: number): boolean => isBoundary(text, at);
    return accepts(machine, text, mayBe, mayBe);
  };
}

/** Longer words are looked for in one walk: by `indexOf` they may take text times words (V8: from 250 characters on). */
export const LONG_WORDS = 128;
/** So do shorter ones that are found again and again where they are no words. */
const MOST_FINDS = 8;

/** Whether a text has some words, taken as they are, between word boundaries. The time is that of the text, whatever both are. */
export function hasWords(text: string, words: string): boolean {
  if (words.length > LONG_WORDS) return hasWordsFrom(0, text, words);
  let at = text.indexOf(words);
  for (let finds = 0; at >= 0; finds++) {
    if (finds === MOST_FINDS) return hasWordsFrom(at, text, words);
    if (isBoundary(text, at)) {
      if (isBoundary(text, at + words.length)) return true;
      at++;
    }
    // Nothing can begin before the next boundary: of a text that is one word there is no need to look at each place of it.
    while (at <= text.length && !isBoundary(text, at)) at++;
    if (at > text.length) return false;
    at = text.indexOf(words, at);
  }
  return false;
}

/** The same from a place on, for words that are not empty, in one walk (Knuth, Morris and Pratt). */
function hasWordsFrom(from: number, text: string, words: string): boolean {
  const rests = restsOf(words);
  let matched = 0;
  for (let at = from; at < text.length; at++) {
    matched = extended(words, rests, matched, text.charCodeAt(at));
    if (matched < words.length) continue;
    if (isBoundary(text, at + 1 - matched) && isBoundary(text, at + 1)) return true;
    matched = rests[matched]!;
  }
  return false;
}

/** By length, how much of some words can still be there where so much of them was and no more: what they both begin and end with. */
function restsOf(words: string): Uint32Array {
  const rests = new Uint32Array(words.length + 1);
  for (let length = 1; length < words.length; length++)
    rests[length + 1] = extended(words, rests, rests[length]!, words.charCodeAt(length));
  return rests;
}

/** How much of some words is there with one more character. */
function extended(words: string, rests: Uint32Array, before: number, code: number): number {
  let matched = before;
  while (matched > 0 && words.charCodeAt(matched) !== code) matched = rests[matched]!;
  return words.charCodeAt(matched) === code ? matched + 1 : 0;
}

/** Whether a place of a text has not a word character on both sides. */
function isBoundary(text: string, at: number): boolean {
  return at <= 0 || at >= text.length || !isWord(text.charCodeAt(at - 1)) || !isWord(text.charCodeAt(at));
}

function isWord(code: number): boolean {
  if (code >= 97) return code <= 122;
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95;
}

function tokensOf(pattern: string, special = '*?'): Token[] {
  const tokens = { '*': MANY, '?': ANY } as const;
  return Array.from(pattern.replace(/\*+/g, '*'), (char) =>
    special.includes(char) ? tokens[char as keyof typeof tokens] : char,
  );
}

/**
 * A pattern as sets of places in it, a bit for each: the place k is behind its first k characters. `any`, `byCode`: the places from which a
 * character leads on, any other and that; `stays`: those at which a `*` lets all characters pass.
 */
interface Machine {
  readonly length: number;
  readonly any: Uint32Array;
  readonly stays: Uint32Array;
  readonly byCode: ReadonlyMap<number, Uint32Array>;
}

const BITS = 32;

function machineOf(tokens: readonly Token[]): Machine {
  const length = tokens.filter((token) => token !== MANY).length;
  const size = Math.floor(length / BITS) + 1;
  const [any, stays] = [new Uint32Array(size), new Uint32Array(size)];
  const own = new Map<number, Uint32Array>();
  const put = (set: Uint32Array, place: number): void => void (set[Math.floor(place / BITS)]! |= 1 << (place % BITS));
  let place = 0;
  for (const token of tokens) {
    if (token === MANY) {
      put(stays, place);
      continue;
    }
    if (token === ANY) put(any, place);
    else {
      const code = token.codePointAt(0)!;
      const places = own.get(code) ?? new Uint32Array(size);
      put(places, place);
      own.set(code, places);
    }
    place++;
  }
  const byCode = new Map([...own].map(([code, places]) => [code, places.map((bits, i) => bits | any[i]!)]));
  return { length, any, stays, byCode };
}

/** PERF: walks all ways through the pattern at once, 32 places of it in one step: a message has 64 KB, and thousands may have patterns. */
function accepts(
  { length, any, stays, byCode }: Machine,
  text: string,
  mayStart: (at: number) => boolean,
  mayEnd: (at: number) => boolean,
): boolean {
  const places = new Uint32Array(any.length);
  const [last, bit] = [Math.floor(length / BITS), length % BITS];
  for (let at = 0; ;) {
    if (mayStart(at)) places[0]! |= 1;
    if (((places[last]! >>> bit) & 1) === 1 && mayEnd(at)) return true;
    if (at >= text.length) return false;
    const code = text.codePointAt(at)!;
    at += code > 0xffff ? 2 : 1;
    const leads = byCode.get(code) ?? any;
    let carry = 0;
    for (let i = 0; i < places.length; i++) {
      const before = places[i]!;
      const moved = before & leads[i]!;
      places[i] = (moved << 1) | carry | (before & stays[i]!);
      carry = moved >>> (BITS - 1);
    }
  }
}
