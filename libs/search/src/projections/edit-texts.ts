import type { Position } from '#kernel/position';
import type { OwnRows } from '#projections/projector';
import type { EventKeyPart } from '#rooms/projections/event-place';
import { fileAnew } from './file-words.js';
import {
  type Edit,
  EDITS,
  type Edits,
  numberKey,
  PAGE_TEXTS,
  PAGES,
  type RoomMark,
  SHELVES,
  shelfOf,
  TEXTS,
} from './search-collections.js';
import { linesOf, parseText, type ShelvedText, withWords } from './shelf-row.js';
import { formatEditOf, type KnownText, parseKnownText, REDACTED_TEXT, type TextPlace } from './text-place.js';

/** How many edits are kept, and how many words of them all together: the last of them, and one whatever it has. */
interface Kept {
  readonly edits: number;
  readonly words: number;
}

/** Who sends thousands of edits of one message has the last of them found. */
const OF_TEXT: Kept = { edits: 20, words: 4_000 };
/** Of an event that has not come nobody knows who may edit it: so many of each sender wait for it, and of so many senders. */
const WAITING: Kept = { edits: 5, words: 500 };
const MAX_WAITING_SENDERS = 20;
/** So many words of all versions of a text are found, the newest version first. */
const MAX_WORDS = 1_000;

/**
 * Notes what an event was changed to: "the content of the original event is replaced by m.new_content" (client-server API, "Event
 * replacements"). Where the event has not come yet, it waits for that.
 */
export async function applyEdit(room: RoomMark, target: EventKeyPart, edit: Edit, rows: OwnRows): Promise<void> {
  const known = await findKnown(room, target, rows);
  if (known === undefined ? await isEncrypted(room, rows) : known.is !== 'text') return;
  const before = await EDITS.get(rows, [room, target]);
  const others = (before?.edits ?? []).filter(({ id }) => id !== edit.id);
  const edits = [...others, edit].toSorted(compareEdits);
  TEXTS.put(rows, [room, edit.id], formatEditOf(target));
  await settle(room, target, { original: before?.original, edits }, rows);
}

/** The edits of an event that had come before it take their place. */
export async function applyWaitingEdits(room: RoomMark, id: EventKeyPart, rows: OwnRows): Promise<void> {
  const waiting = await EDITS.get(rows, [room, id]);
  if (waiting !== undefined) await settle(room, id, waiting, rows);
}

/**
 * Makes place for a text that comes to a shelf: where it came before, as a part of a state, nothing is found there any more. Answers whether
 * it is to be put there: not where it is redacted, or stands there already.
 */
export async function makePlaceFor(
  room: RoomMark,
  id: EventKeyPart,
  { isHistory, position }: { readonly isHistory: boolean; readonly position: Position },
  rows: OwnRows,
): Promise<boolean> {
  const known = await findKnown(room, id, rows);
  if (known === undefined) return true;
  const shelf = await SHELVES.get(rows, [shelfOf(room, isHistory)]);
  if (known.is !== 'text' || (shelf !== undefined && shelf.last >= position)) return false;
  await setWords(room, known, { words: [], isEdited: false }, rows);
  return true;
}

/** Whether nothing is known of an event: neither that it is or edits a text, nor that it is redacted. */
export async function isUnknown(room: RoomMark, id: EventKeyPart, rows: OwnRows): Promise<boolean> {
  return !(await TEXTS.has(rows, [room, id]));
}

/**
 * Takes away what a redaction took away: the text and its edits, or of a text the one edit. `mayCome`: the event may come into force later, of
 * which nothing is known yet, and is no text then.
 */
export async function forgetText(room: RoomMark, id: EventKeyPart, mayCome: boolean, rows: OwnRows): Promise<void> {
  const known = await findKnown(room, id, rows);
  if (known === undefined) {
    if (mayCome) TEXTS.put(rows, [room, id], REDACTED_TEXT);
    return;
  }
  if (known.is === 'text') {
    await setWords(room, known, { words: [], isEdited: false }, rows);
    EDITS.delete(rows, [room, id]);
    TEXTS.put(rows, [room, id], REDACTED_TEXT);
  } else if (known.is === 'edit') {
    const before = await EDITS.get(rows, [room, known.of]);
    TEXTS.delete(rows, [room, id]);
    if (before === undefined) return;
    const edits = before.edits.filter((edit) => edit.id !== id);
    await settle(room, known.of, { original: before.original, edits }, rows);
  }
}

/**
 * Gives a text the words of all its valid edits, and its own: "the original event and replacement event must have the same sender". Which of
 * these versions it is that a reader is shown is asked as they search: of a room that they left they may know an older one.
 */
async function settle(room: RoomMark, target: EventKeyPart, { original, edits }: Edits, rows: OwnRows): Promise<void> {
  const known = await findKnown(room, target, rows);
  const text = known?.is === 'text' ? await readText(room, known, rows) : undefined;
  const own = original ?? text?.words;
  const kept = text === undefined ? waitingOf(edits) : newestOf(editsBy(text.sender, edits), OF_TEXT);
  if (kept.length === 0) EDITS.delete(rows, [room, target]);
  else EDITS.put(rows, [room, target], { original: own, edits: kept });
  if (known?.is !== 'text' || own === undefined) return;
  const isEdited = kept.length > 0;
  await setWords(room, known, { words: isEdited ? wordsOfAll(kept, own) : own, isEdited }, rows);
}

function editsBy(sender: string, edits: readonly Edit[]): readonly Edit[] {
  return edits.filter((edit) => edit.sender === sender);
}

/** The last of some edits: one row holds them, which each edit writes anew. */
function newestOf(edits: readonly Edit[], most: Kept): readonly Edit[] {
  let words = 0;
  const first = edits.findLastIndex((edit, i) => {
    words += edit.words.length;
    return edits.length - i > most.edits || (words > most.words && i < edits.length - 1);
  });
  return edits.slice(first + 1);
}

/** Those that wait for their event: the last ones of each sender, so that nobody can put those of another out. */
function waitingOf(edits: readonly Edit[]): readonly Edit[] {
  const senders = [...new Set(edits.map(({ sender }) => sender))].slice(0, MAX_WAITING_SENDERS);
  return senders.flatMap((sender) => newestOf(editsBy(sender, edits), WAITING)).toSorted(compareEdits);
}

function wordsOfAll(edits: readonly Edit[], original: readonly string[]): string[] {
  const versions = [...edits.toReversed().map(({ words }) => words), original];
  return [...new Set(versions.flat())].slice(0, MAX_WORDS);
}

/** The one that counts comes last: client-server API, "Server-side aggregation of m.replace". */
function compareEdits(a: Edit, b: Edit): number {
  return a.sent_at - b.sent_at || (a.id < b.id ? -1 : 1);
}

async function isEncrypted(room: RoomMark, rows: OwnRows): Promise<boolean> {
  return (await SHELVES.get(rows, [shelfOf(room, false)]))?.isEncrypted === true;
}

async function findKnown(room: RoomMark, id: EventKeyPart, rows: OwnRows): Promise<KnownText | undefined> {
  const text = await TEXTS.get(rows, [room, id]);
  return text === undefined ? undefined : parseKnownText(text);
}

/** A text as it stands on its page. */
async function readText(
  room: RoomMark,
  { isHistory, number }: TextPlace,
  rows: OwnRows,
): Promise<ReturnType<typeof parseText> | undefined> {
  const row = await SHELVES.get(rows, [shelfOf(room, isHistory)]);
  if (row === undefined) return undefined;
  const first = number - (number % PAGE_TEXTS);
  const page = (await PAGES.get(rows, [row.shelf, numberKey(first)])) ?? row.page;
  const line = linesOf(page)[number - first];
  return line === undefined ? undefined : parseText(line);
}

/** Gives a text other words, on its page and where it is filed. */
async function setWords(
  room: RoomMark,
  { isHistory, number }: TextPlace,
  changed: Pick<ShelvedText, 'words' | 'isEdited'>,
  rows: OwnRows,
): Promise<void> {
  const name = shelfOf(room, isHistory);
  const row = await SHELVES.get(rows, [name]);
  if (row === undefined) return;
  const { shelf } = row;
  const first = number - (number % PAGE_TEXTS);
  const stored = await PAGES.get(rows, [shelf, numberKey(first)]);
  const page = stored ?? row.page;
  const before = parseText(linesOf(page)[number - first]!).words;
  const changedPage = withWords(page, number - first, changed);
  const isFiled = number < row.filed;
  const unfiledWords = row.unfiledWords + (isFiled ? 0 : changed.words.length - before.length);
  if (stored === undefined) SHELVES.put(rows, [name], { ...row, unfiledWords, page: changedPage });
  else {
    PAGES.put(rows, [shelf, numberKey(first)], changedPage);
    if (unfiledWords !== row.unfiledWords) SHELVES.put(rows, [name], { ...row, unfiledWords });
  }
  if (isFiled) await fileAnew(shelf, number, before, changed.words, rows);
}
