import { longPosition, type Position, shortPosition, START } from '#kernel/position';
import type { RowCodec } from '#projections/collection';
import type { HistoryVisibility } from '#rooms/facts/room-facts';
import { VISIBILITY_LETTERS, visibilityOf } from '#rooms/projections/visibility-letters';

/** What of an event was written down: the body of a message, the name of a room, its topic. */
export type TextKind = 'body' | 'name' | 'topic';

/** What is known of a text but its words. */
export interface TextHead {
  /** Where its event stands. */
  readonly position: Position;
  /** Of an event that came into force by another: which of those that the other's fact carries it is. */
  readonly carriedAs?: number;
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
  /** The history visibility in force at its event. */
  readonly visibility: HistoryVisibility;
  /** The room forked there: what anybody was at the event is not what they were when it came. */
  readonly isAside: boolean;
}

/** A text that can be found. */
export interface ShelvedText extends TextHead {
  /** In their order; where it was edited, those of all its versions, each once. None of what was redacted. */
  readonly words: readonly string[];
}

/** What a shelf is called in keys. PERF: short, for it stands in a row of each word that stands there. Empty where it has no texts yet. */
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
  /** The history visibilities that were in force at its texts. */
  readonly visibilities: readonly HistoryVisibility[];
  /** Where the first text stands that is only for who was in the room then, or invited; START where that cannot be said by places. */
  readonly firstClosed: Position | undefined;
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
  visibilities: [],
  firstClosed: undefined,
  page: '',
});

const RADIX = 36;
const ENCRYPTED = 'e';
const CLOSED = 'c';
const CARRIED = '+';

/** PERF: of each message one such row is read and written: no JSON. */
export const shelfCodec: RowCodec<ShelfRow> = Object.freeze({
  encode: ({ shelf, next, filed, unfiledWords, last, lastTime, firstTime, page, ...row }: ShelfRow) => {
    const { isEncrypted, visibilities, firstClosed } = row;
    const times = `${lastTime.toString(RADIX)} ${firstTime.toString(RADIX)}`;
    const seen = visibilities.map((visibility) => VISIBILITY_LETTERS[visibility]).join('');
    const closed = firstClosed === undefined ? '' : `${CLOSED}${shortPosition(firstClosed)}`;
    const marks = `${seen} ${closed} ${isEncrypted ? ENCRYPTED : ''}`;
    return `${shelf} ${next} ${filed} ${unfiledWords} ${shortPosition(last)} ${times} ${marks}\n${page}`;
  },
  decode: (text: string): ShelfRow => {
    const end = text.indexOf('\n');
    const parts = text.slice(0, end).split(' ');
    const [shelf, next, filed, unfiledWords, last = '', lastTime = '', firstTime = '', seen = '', closed = ''] = parts;
    return {
      shelf: shelf as Shelf,
      next: Number(next),
      filed: Number(filed),
      unfiledWords: Number(unfiledWords),
      last: longPosition(last),
      lastTime: parseInt(lastTime, RADIX),
      firstTime: parseInt(firstTime, RADIX),
      isEncrypted: parts[9] === ENCRYPTED,
      visibilities: [...seen].map(visibilityOf),
      firstClosed: closed === '' ? undefined : longPosition(closed.slice(CLOSED.length)),
      page: text.slice(end + 1),
    };
  },
});

/** Whether texts are only for who was in the room when they came, or was invited. */
export function isClosed(visibility: HistoryVisibility): boolean {
  return visibility === 'joined' || visibility === 'invited';
}

/** A letter for each kind; the capital where the text was edited. */
const KIND_LETTERS: Readonly<Record<TextKind, string>> = { body: 'b', name: 'n', topic: 't' };
const KINDS: Readonly<Record<string, TextKind>> = { b: 'body', n: 'name', t: 'topic' };

/** A text as it stands on a page: one line. No word holds a space. */
export function formatText({ position, carriedAs, time, kind, sender, words, ...text }: ShelvedText): string {
  const { isEdited, visibility, isAside } = text;
  const letter = isEdited ? KIND_LETTERS[kind].toUpperCase() : KIND_LETTERS[kind];
  // The capital where the room forked at the event.
  const seen = isAside ? VISIBILITY_LETTERS[visibility].toUpperCase() : VISIBILITY_LETTERS[visibility];
  const place = carriedAs === undefined ? '' : `${CARRIED}${carriedAs}`;
  const head = `${shortPosition(position)}${place} ${time.toString(RADIX)} ${letter}${seen}${sender}`;
  return words.length === 0 ? `${head}\n` : `${head} ${words.join(' ')}\n`;
}

/** Reads a line that `formatText` wrote, but for the words. PERF: of most lines that are looked at nothing else is needed. */
export function parseHead(line: string): TextHead {
  const firstSpace = line.indexOf(' ');
  const secondSpace = line.indexOf(' ', firstSpace + 1);
  const letter = line.charAt(secondSpace + 1);
  const seen = line.charAt(secondSpace + 2);
  const kind = KINDS[letter.toLowerCase()];
  if (kind === undefined) throw new Error(`not a text of the search: ${line}`);
  const carried = line.indexOf(CARRIED);
  const isCarried = carried >= 0 && carried < firstSpace;
  return {
    position: longPosition(line.slice(0, isCarried ? carried : firstSpace)),
    ...(isCarried ? { carriedAs: Number(line.slice(carried + 1, firstSpace)) } : {}),
    time: parseInt(line.slice(firstSpace + 1, secondSpace), RADIX),
    kind,
    sender: line.slice(secondSpace + 3, endOfHead(line, secondSpace)),
    isEdited: letter !== KIND_LETTERS[kind],
    visibility: visibilityOf(seen.toLowerCase()),
    isAside: seen !== seen.toLowerCase(),
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
