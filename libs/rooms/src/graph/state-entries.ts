import type { EventId } from '#kernel/ids';
import type { StateChange } from '../facts/room-facts.js';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';

/** A key of a state and the event that holds it; null where a change deletes it. */
export interface StateValue {
  readonly type: string;
  readonly stateKey: string;
  readonly eventId: EventId | null;
}

/** Entries by `stateKeyOf`. */
export type Entries = Map<string, StateValue>;

/** Changes of a fact. */
export function valuesOf(changes: readonly StateChange[]): StateValue[] {
  return changes.map(({ type, state_key: stateKey, event_id: eventId }) => ({ type, stateKey, eventId }));
}

const MUST_ESCAPE = /[\t\n\\]/;

/** What need not be told of the first line: most changes are of members. */
const FIRST_TYPE = 'm.room.member';

/**
 * Entries as text, one a line. PERF: this is most of what a state takes on disk and of the time it takes to read, so a type
 * that is the one of the line before is left out; all else can be cut out of the text as it stands.
 */
export function formatEntries(entries: Iterable<StateValue>): string {
  let text = '';
  let lastType = FIRST_TYPE;
  for (const { type, stateKey, eventId } of entries) {
    text += `\n${type === lastType ? '' : `${escape(type)}\t`}${escape(stateKey)}\t${eventId ?? ''}`;
    lastType = type;
  }
  return text;
}

/** What most ids of events begin with, and how long those are: a hash. */
const SIGIL = '$'.charCodeAt(0);
const ID_LENGTH = 44;
const LINE_FEED = '\n'.charCodeAt(0);

/**
 * Reads what `formatEntries` wrote, from a line feed on, and hands on one after another, without those of one type where that is named.
 * PERF: of a large state this is most of the work, so no text is cut that is not handed on, none is looked through for escapes where
 * there are none, and where an id of usual length ends a line it is not looked for that end (bench/state-at.ts).
 */
export function readEntries(text: string, from: number, onEntry: (value: StateValue) => void, without?: string): void {
  const isPlain = !text.includes('\\');
  const plain = (start: number, end: number): string =>
    isPlain ? text.slice(start, end) : unescape(text.slice(start, end));
  let type = FIRST_TYPE;
  let tab = text.indexOf('\t', from);
  for (let at = from; at >= 0 && at < text.length;) {
    let start = at + 1;
    let next = text.indexOf('\t', tab + 1);
    let end = tab + 1 + ID_LENGTH;
    const isAtEnd = end === text.length || text.charCodeAt(end) === LINE_FEED;
    // Each line has a tab: where none comes before that end, no line ends before it, and what ends there begins at the tab.
    if (!isAtEnd || text.charCodeAt(tab + 1) !== SIGIL || (next >= 0 && next < end)) {
      end = text.indexOf('\n', start);
      if (end < 0) end = text.length;
      // Two tabs in a line: the type is told.
      if (next >= 0 && next < end) {
        type = plain(start, tab);
        start = tab + 1;
        tab = next;
        next = text.indexOf('\t', tab + 1);
      }
    }
    if (type !== without) {
      const eventId = tab + 1 === end ? null : (text.slice(tab + 1, end) as EventId);
      onEntry({ type, stateKey: plain(start, tab), eventId });
    }
    at = end;
    tab = next;
  }
}

/** What stands in the text of entries where one has this key. */
export function markOfKey(stateKey: string): string {
  return `${escape(stateKey)}\t`;
}

/** Makes changes to entries, in order. */
export function changeEntries(entries: Entries, changes: Iterable<StateValue>): void {
  for (const change of changes) {
    const key = stateKeyOf(change.type, change.stateKey);
    if (change.eventId === null) entries.delete(key);
    else entries.set(key, change);
  }
}

const LETTERS: Readonly<Record<string, string>> = { '\\': '\\', '\t': 't', '\n': 'n' };
const ESCAPED = new Map(Object.entries(LETTERS).map(([character, letter]) => [letter, character]));

function escape(text: string): string {
  return MUST_ESCAPE.test(text) ? text.replaceAll(/[\t\n\\]/g, (character) => `\\${LETTERS[character]}`) : text;
}

function unescape(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\(.)/g, (_, letter: string) => ESCAPED.get(letter)!) : text;
}
