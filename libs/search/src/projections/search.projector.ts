import type { RecordedFact } from '#event-store/event-store';
import { type Answer, whenThere } from '#kernel/answer';
import type { UserId } from '#kernel/ids';
import { type Position, shortPosition, START } from '#kernel/position';
import { owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { eventKeyPart } from '#rooms/projections/event-place';
import { isAside } from '#rooms/facts/room-facts';
import { purgeOf, takeAway } from '#rooms/projections/purged-rows';
import type { AcceptedFact, RoomFactReader } from '#rooms/projections/room-fact-reader';
import { wordsOf } from '../words/words-of.js';
import { applyEdit, applyWaitingEdits, forgetText, isUnknown, makePlaceFor } from './edit-texts.js';
import { fileWords } from './file-words.js';
import {
  BLOCK_TEXTS,
  EDITS,
  numberKey,
  PAGE_TEXTS,
  PAGES,
  roomMark,
  type RoomMark,
  senderMark,
  type ShelfName,
  SHELVES,
  shelfOf,
  TEXTS,
  WORDS,
} from './search-collections.js';
import { EMPTY_SHELF, formatText, isClosed, type Shelf, type ShelvedText, type ShelfRow } from './shelf-row.js';
import { timeOnShelf } from './text-order.js';
import { type EventText, textOfEvent } from './text-of-event.js';
import { formatTextPlace } from './text-place.js';

/** So many words are filed at once at most, and with them the texts that they are of: what is filed holds up whoever comes then. */
const MOST_UNFILED_WORDS = 4_000;

const HANDLED: ReadonlySet<string> = new Set(['pdu-accepted', 'state-taken', 'pdu-redacted', 'room-purged']);

/**
 * By which words messages, names and topics of rooms are found. What is redacted leaves it, of what was edited all versions are found (who
 * searches asks which of them the reader is shown), and nothing is written down of rooms that are encrypted. PERF: a message writes two
 * rows; words are filed once a block of texts is full (`fileWords`), and those that are not filed yet are looked through by who searches.
 * Measured by bench/search.ts.
 */
export function searchProjector(reader: RoomFactReader): Projector {
  return {
    name: 'search',
    version: 8,
    // Before, a text did not say who may see it.
    readableSince: 5,
    // Where a text stands, and how words are filed, goes by all texts that came before it, also those that were erased since.
    showsGone: ({ metadata }) => metadata.erased !== undefined,
    ...owning(SHELVES, PAGES, WORDS, TEXTS, EDITS),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purge(fact, rows);
      if (fact.type === 'pdu-redacted') {
        const { roomId, data } = reader.redacted(fact);
        const mayCome = data.pdu['state_key'] === '';
        return forgetText(roomMark(roomId), eventKeyPart(data.event_id), mayCome, rows);
      }
      const accepted = reader.accepted(fact);
      const taken = takeEvent(accepted, fact, rows);
      return accepted.data.state_pdus === undefined ? taken : whenThere(taken, () => takeCarried(accepted, fact, rows));
    },
  };
}

function takeEvent(accepted: AcceptedFact, fact: RecordedFact, rows: OwnRows): Answer<void> {
  const { data, content } = accepted;
  const { type, state_key: stateKey } = data.pdu;
  if (isEncryption(data.pdu)) {
    const isInForce = accepted.current.some(({ change }) => change.event_id === data.event_id);
    return isInForce ? noteEncryption(accepted, rows) : undefined;
  }
  const found = textOfEvent(type as string, stateKey as string | undefined, content);
  // What is redacted as it comes is never found.
  return found === undefined || data.redacted_by !== undefined ? undefined : takeText(accepted, fact, found, rows);
}

/** Takes what came into force by this fact and was no text before: it was refused then, or known as a part of a state alone. */
async function takeCarried(accepted: AcceptedFact, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, data, current } = accepted;
  const room = roomMark(roomId);
  for (const [carriedAs, { change, pdu, content }] of current.entries()) {
    if (change.event_id === data.event_id) continue;
    if (isEncryption(pdu)) await noteEncryption(accepted, rows);
    const found = textOfEvent(pdu['type'] as string, pdu['state_key'] as string, content);
    const id = eventKeyPart(change.event_id);
    if (found === undefined || !(await isUnknown(room, id, rows))) continue;
    const sender = senderMark(pdu['sender'] as UserId);
    const { visibility } = data;
    const { kind, text } = found;
    const words = wordsOf(text);
    const taken = { fact, kind, sender, words, pdu, visibility, isAside: false, carriedAs };
    const number = await shelve(room, true, taken, rows);
    if (number !== undefined) TEXTS.put(rows, [room, id], formatTextPlace({ isHistory: true, number }));
  }
}

function isEncryption({ type, state_key: stateKey }: AcceptedFact['data']['pdu']): boolean {
  return type === 'm.room.encryption' && stateKey === '';
}

/** That a room is encrypted is told with the texts that were news. */
function noteEncryption({ roomId }: AcceptedFact, rows: OwnRows): Answer<void> {
  const name = shelfOf(roomMark(roomId), false);
  return whenThere(SHELVES.get(rows, [name]), (row = EMPTY_SHELF) => {
    SHELVES.put(rows, [name], { ...row, isEncrypted: true });
  });
}

function takeText(
  { roomId, data }: AcceptedFact,
  fact: RecordedFact,
  { kind, text, edits }: EventText,
  rows: OwnRows,
): void | Promise<void> {
  const { pdu, event_id: eventId, origin } = data;
  const room = roomMark(roomId);
  const id = eventKeyPart(eventId);
  const { visibility } = data;
  const seen = { visibility, isAside: fact.type === 'pdu-accepted' && isAside(data) };
  const sender = senderMark(pdu['sender'] as UserId);
  const taken: TakenText = { fact, kind, sender, words: wordsOf(text), pdu, ...seen };
  if (edits !== undefined) {
    const { words } = taken;
    return applyEdit(room, eventKeyPart(edits), { id, sent_at: sentAtOf(pdu) ?? 0, sender, words }, rows);
  }
  const isTaken = fact.type === 'state-taken';
  const isHistory = isTaken || data.history === true;
  const put = (isNew: boolean): Answer<void> => {
    const number = isNew ? shelve(room, isHistory, taken, rows) : undefined;
    return whenThere(number, (at) => {
      if (at !== undefined) TEXTS.put(rows, [room, id], formatTextPlace({ isHistory, number: at }));
    });
  };
  // PERF: of what this server made nothing can be here already.
  if (origin === undefined && !isTaken) return put(true);
  // What other servers tell may have come as a part of a state, and may have been edited before it came.
  return makePlaceFor(room, id, { isHistory, position: fact.position }, rows)
    .then(put)
    .then(() => applyWaitingEdits(room, id, rows));
}

/** A text that is to be shelved. */
interface TakenText extends Pick<ShelvedText, 'kind' | 'sender' | 'words' | 'visibility' | 'isAside' | 'carriedAs'> {
  readonly fact: RecordedFact;
  readonly pdu: AcceptedFact['data']['pdu'];
}

/** origin_server_ts, where that is a number of milliseconds that can be written down. */
function sentAtOf(pdu: AcceptedFact['data']['pdu']): number | undefined {
  const value = Number(pdu['origin_server_ts']);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** Puts a text behind those of its shelf, and answers its number; undefined where it is there already, or nothing is taken. */
function shelve(room: RoomMark, isHistory: boolean, text: TakenText, rows: OwnRows): Answer<number | undefined> {
  return whenThere(isOpen(room, isHistory, rows), (open) => {
    const name = shelfOf(room, isHistory);
    return open
      ? whenThere(SHELVES.get(rows, [name]), (row) => putBehind(name, row, isHistory, text, rows))
      : undefined;
  });
}

/** Whether what was fetched from the past may be written down. PERF: of what is news the shelf itself says it. */
function isOpen(room: RoomMark, isHistory: boolean, rows: OwnRows): Answer<boolean> {
  if (!isHistory) return true;
  return whenThere(SHELVES.get(rows, [shelfOf(room, false)]), (row) => row?.isEncrypted !== true);
}

function putBehind(
  name: ShelfName,
  row: ShelfRow = EMPTY_SHELF,
  isHistory: boolean,
  { fact, pdu, ...text }: TakenText,
  rows: OwnRows,
): Answer<number | undefined> {
  const { position, type, metadata } = fact;
  const isThere = row.last > position || (row.last === position && text.carriedAs === undefined);
  if (row.isEncrypted || isThere) return undefined;
  const isPast = type !== 'state-taken' && text.carriedAs === undefined;
  const time = timeOnShelf(row, isHistory, { isPast, takenAt: metadata.at, sentAt: sentAtOf(pdu) });
  const next = row.next + 1;
  const added = {
    ...row,
    next,
    unfiledWords: row.unfiledWords + text.words.length,
    last: position,
    lastTime: time,
    firstTime: row.next === 0 ? time : row.firstTime,
    ...visibilitiesWith(row, position, text),
    page: row.page + formatText({ ...text, position, time, isEdited: false }),
  };
  const shelf = row.next === 0 ? shelfBegunAt(position, isHistory) : row.shelf;
  if (next % PAGE_TEXTS !== 0) SHELVES.put(rows, [name], { ...added, shelf });
  else return whenThere(turnPage(name, { ...added, shelf }, rows), () => row.next);
  return row.next;
}

/** What a shelf says of who may see what is there, with one more text. */
function visibilitiesWith(
  { visibilities, firstClosed }: ShelfRow,
  position: RecordedFact['position'],
  { visibility, isAside: isFork }: Pick<TakenText, 'visibility' | 'isAside'>,
): Pick<ShelfRow, 'visibilities' | 'firstClosed'> {
  const seen = visibilities.includes(visibility) ? visibilities : [...visibilities, visibility];
  if (!isClosed(visibility)) return { visibilities: seen, firstClosed };
  return { visibilities: seen, firstClosed: isFork ? START : (firstClosed ?? position) };
}

/** What a shelf is called whose first text stands there: the same when it is made anew, whatever rooms were purged since. */
function shelfBegunAt(position: Position, isHistory: boolean): Shelf {
  return `${isHistory ? 'h' : ''}${shortPosition(position)}` as Shelf;
}

/** Lets go of all words of a room. What the shelf is called is known until the last step. */
async function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const purged = purgeOf(fact);
  const room = roomMark(purged.roomId);
  for (const name of [shelfOf(room, false), shelfOf(room, true)]) {
    const row = await SHELVES.get(rows, [name]);
    if (row !== undefined && row.shelf !== '') await takeAway(rows, purged, [PAGES, WORDS], [row.shelf]);
    if (purged.isLast) SHELVES.delete(rows, [name]);
  }
  await takeAway(rows, purged, [TEXTS, EDITS], [room]);
}

/** A page is full: it is put away, and where enough are, their words are filed. */
function turnPage(name: ShelfName, row: ShelfRow, rows: OwnRows): Answer<void> {
  const { shelf, next, filed, unfiledWords } = row;
  PAGES.put(rows, [shelf, numberKey(next - PAGE_TEXTS)], row.page);
  const isBlockFull = next % BLOCK_TEXTS === 0;
  if (!isBlockFull && unfiledWords < MOST_UNFILED_WORDS) {
    SHELVES.put(rows, [name], { ...row, page: '' });
    return undefined;
  }
  SHELVES.put(rows, [name], { ...row, filed: next, unfiledWords: 0, page: '' });
  return fileWords(shelf, filed, next, rows);
}
