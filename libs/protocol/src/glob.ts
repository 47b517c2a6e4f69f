/** Whether a text matches. */
export type TextMatcher = (text: string) => boolean;

const ANY = Symbol('?');
const MANY = Symbol('*');
type Token = string | typeof ANY | typeof MANY;

/**
 * A matcher for whole texts: `*` is any number of characters, `?` exactly one, every other character itself
 * (specification, appendices, "Glob-style matching"). The time is at most text times pattern, whatever the pattern: both
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
  return (text) => {
    const chars = Array.from(text);
    return accepts(
      tokens,
      chars,
      (at) => at === 0,
      (at) => at === chars.length,
    );
  };
}

/**
 * A matcher for texts with a substring that matches and that starts and ends at a word boundary: the start or end of the
 * text, or beside a character that is none of A-Z, a-z, 0-9 and _ (client-server specification, "Push Rules", `event_match`).
 */
export function compileWordGlob(pattern: string): TextMatcher {
  if (!/[*?]/.test(pattern)) return (text) => hasWords(text, pattern);
  const tokens = tokensOf(pattern);
  return (text) => {
    const chars = Array.from(text);
    const isBoundary = (at: number) => !isWord(chars[at - 1]) || !isWord(chars[at]);
    return accepts(tokens, chars, isBoundary, isBoundary);
  };
}

/** Whether a text has some words, taken as they are, between word boundaries. */
export function hasWords(text: string, words: string): boolean {
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + 1)) {
    const end = at + words.length;
    if ((!isWord(text[at - 1]) || !isWord(text[at])) && (!isWord(text[end - 1]) || !isWord(text[end]))) return true;
    if (at === text.length) return false;
  }
  return false;
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /^\w$/.test(char);
}

function tokensOf(pattern: string, special = '*?'): Token[] {
  const tokens = { '*': MANY, '?': ANY } as const;
  return Array.from(pattern.replace(/\*+/g, '*'), (char) =>
    special.includes(char) ? tokens[char as keyof typeof tokens] : char,
  );
}

/** Walks all ways through the pattern at once: `states[k]` says whether the tokens before k can have matched up to here. */
function accepts(
  tokens: readonly Token[],
  chars: readonly string[],
  mayStart: (at: number) => boolean,
  mayEnd: (at: number) => boolean,
): boolean {
  let states = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  const enter = (set: Uint8Array, state: number) => {
    set[state] = 1;
    if (tokens[state] === MANY) set[state + 1] = 1; // none of the any number
  };
  for (let at = 0; at <= chars.length; at++) {
    if (mayStart(at)) enter(states, 0);
    if (states[tokens.length] === 1 && mayEnd(at)) return true;
    if (at === chars.length) break;
    for (let state = 0; state < tokens.length; state++) {
      if (states[state] !== 1) continue;
      const token = tokens[state];
      if (token === MANY) enter(next, state);
      else if (token === ANY || token === chars[at]) enter(next, state + 1);
    }
    [states, next] = [next, states];
    next.fill(0);
  }
  return false;
}
