import { longPosition, type Position, shortPosition, START } from '#kernel/position';
import type { RowCodec } from '#projections/collection';

/** What of an event was written down: the body of a message, the name of a room, its topic. */
export type TextKind = 'body' | 'name' | 'topic';

/** What is known of a text but its words. */
export interface TextHead {
  /** Where its event stands. */
  readonly position: Position;
  /**
   * In milliseconds since the epoch, by which texts of several shelves are put in one order: it only grows among those that were news, and
   * only falls among those of the past (`timeOnShelf`).
   */
  readonly time: number;
  readonly kind: TextKind;
  /** Stands for who sent it (`senderMark`). */
  readonly sender: string;
  /** Which of its versions a reader is shown has to be looked up. */
  readonly isEdited: boolean;
}

/** A text that can be found. */
export interface ShelvedText extends TextHead {
  /** In their order; where it was edited, those of all its versions, each once. None of what was redacted. */
  readonly words: readonly string[];
}

/** What a shelf is called in keys. PERF: a number, for it stands in a row of each word that stands there. Empty where it has no texts yet. */
export type Shelf = string & { readonly __brand: 'Shelf' };

/** The texts of one room that were news, or those of it that were fetched from the past, numbered from 0 as they came. */
export interface ShelfRow {
  readonly shelf: Shelf;
  /** The number of the next text. */
  readonly next: number;
  /** Those before it can be found by their words. Those from it on are looked through. */
  readonly filed: number;
  /** How many words those have. */
  readonly unfiledWords: number;
  /** Of the last text. */
  readonly last: Position;
  readonly lastTime: number;
  /** Of the text with number 0. */
  readonly firstTime: number;
  /** The room is encrypted: nothing more is written down of it, and nothing of it is found. */
  readonly isEncrypted: boolean;
  /** The newest texts, of which there are not enough for a page yet. */
  readonly page: string;
}

export const EMPTY_SHELF: ShelfRow = Object.freeze({
  shelf: '' as Shelf,
  next: 0,
  filed: 0,
  unfiledWords: 0,
  last: START,
  lastTime: 0,
  firstTime: 0,
  isEncrypted: false,
  page: '',
});

const RADIX = 36;
const ENCRYPTED = 'e';

/** PERF: of each message one such row is read and written: no JSON. */
export const shelfCodec: RowCodec<ShelfRow> = Object.freeze({
  encode: ({ shelf, next, filed, unfiledWords, last, lastTime, firstTime, isEncrypted, page }: ShelfRow) => {
    const times = `${lastTime.toString(RADIX)} ${firstTime.toString(RADIX)}`;
    return `${shelf} ${next} ${filed} ${unfiledWords} ${shortPosition(last)} ${times}${isEncrypted ? ` ${ENCRYPTED}` : ''}\n${page}`;
  },
  decode: (text: string): ShelfRow => {
    const end = text.indexOf('\n');
    const [shelf, next, filed, unfiledWords, last = '', lastTime = '', firstTime = '', mark] = text
      .slice(0, end)
      .split(' ');
    return {
      shelf: shelf as Shelf,
      next: Number(next),
      filed: Number(filed),
      unfiledWords: Number(unfiledWords),
      last: longPosition(last),
      lastTime: parseInt(lastTime, RADIX),
      firstTime: parseInt(firstTime, RADIX),
      isEncrypted: mark === ENCRYPTED,
      page: text.slice(end + 1),
    };
  },
});

/** A letter for each kind; the capital where the text was edited. */
const KIND_LETTERS: Readonly<Record<TextKind, string>> = { body: 'b', name: 'n', topic: 't' };
const KINDS: Readonly<Record<string, TextKind>> = { b: 'body', n: 'name', t: 'topic' };

/** A text as it stands on a page: one line. No word holds a space. */
export function formatText({ position, time, kind, sender, words, isEdited }: ShelvedText): string {
  const letter = isEdited ? KIND_LETTERS[kind].toUpperCase() : KIND_LETTERS[kind];
  const head = `${shortPosition(position)} ${time.toString(RADIX)} ${letter}${sender}`;
  return words.length === 0 ? `${head}\n` : `${head} ${words.join(' ')}\n`;
}

/** Reads a line that `formatText` wrote, but for the words. PERF: of most lines that are looked at nothing else is needed. */
export function parseHead(line: string): TextHead {
  const firstSpace = line.indexOf(' ');
  const secondSpace = line.indexOf(' ', firstSpace + 1);
  const letter = line.charAt(secondSpace + 1);
  const kind = KINDS[letter.toLowerCase()];
  if (kind === undefined) throw new Error(`not a text of the search: ${line}`);
  return {
    position: longPosition(line.slice(0, firstSpace)),
    time: parseInt(line.slice(firstSpace + 1, secondSpace), RADIX),
    kind,
    sender: line.slice(secondSpace + 2, endOfHead(line, secondSpace)),
    isEdited: letter !== KIND_LETTERS[kind],
  };
}

/** The words of a line that `formatText` wrote. */
export function wordsOfLine(line: string): string[] {
  const end = endOfHead(line, line.indexOf(' ', line.indexOf(' ') + 1));
  return end >= line.length ? [] : line.slice(end + 1).split(' ');
}

function endOfHead(line: string, secondSpace: number): number {
  const end = line.indexOf(' ', secondSpace + 1);
  return end < 0 ? line.length : end;
}

/** Reads a line that `formatText` wrote. */
export function parseText(line: string): ShelvedText {
  return { ...parseHead(line), words: wordsOfLine(line) };
}

/** The lines of a page. */
export function linesOf(page: string): string[] {
  return page.split('\n').slice(0, -1);
}

/** The page with other words in one of its lines. */
export function withWords(page: string, line: number, changed: Pick<ShelvedText, 'words' | 'isEdited'>): string {
  const lines = linesOf(page);
  lines[line] = formatText({ ...parseText(lines[line]!), ...changed }).slice(0, -1);
  return lines.map((one) => `${one}\n`).join('');
}
