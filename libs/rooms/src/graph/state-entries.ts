import type { EventId } from '#kernel/ids';
import { stateKeyOf } from '#protocol/state-trie/state-key-of';

/** A key of a state and the event that holds it; null where a change deletes it. */
export interface StateValue {
  readonly type: string;
  readonly stateKey: string;
  readonly eventId: EventId | null;
}

/** Entries by `stateKeyOf`. */
export type Entries = Map<string, StateValue>;

const MUST_ESCAPE = /[\t\n\\]/;

/**
 * Entries as text, one a line. PERF: this is most of what a state takes on disk and of the time it takes to read, so a type
 * that is the one of the line before is left out.
 */
export function formatEntries(entries: Iterable<StateValue>): string {
  let text = '';
  let last: string | undefined;
  for (const { type, stateKey, eventId } of entries) {
    text += `\n${type === last ? '' : `${escape(type)}\t`}${escape(stateKey)}\t${eventId ?? ''}`;
    last = type;
  }
  return text;
}

/** Reads what `formatEntries` wrote, from a line feed on, and hands on one after another. */
export function readEntries(text: string, from: number, onEntry: (value: StateValue) => void): void {
  let type = '';
  for (let at = from; at >= 0 && at < text.length;) {
    const next = text.indexOf('\n', at + 1);
    const end = next < 0 ? text.length : next;
    const first = text.indexOf('\t', at + 1);
    const second = text.indexOf('\t', first + 1);
    // Two tabs in a line: the type is told.
    const isTold = second >= 0 && second < end;
    if (isTold) type = unescape(text.slice(at + 1, first));
    const stateKey = unescape(isTold ? text.slice(first + 1, second) : text.slice(at + 1, first));
    const eventId = text.slice((isTold ? second : first) + 1, end);
    onEntry({ type, stateKey, eventId: eventId === '' ? null : (eventId as EventId) });
    at = next;
  }
}

/** Makes changes to entries, in order. */
export function changeEntries(entries: Entries, changes: Iterable<StateValue>): void {
  for (const change of changes) {
    const key = stateKeyOf(change.type, change.stateKey);
    if (change.eventId === null) entries.delete(key);
    else entries.set(key, change);
  }
}

function escape(text: string): string {
  if (!MUST_ESCAPE.test(text)) return text;
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
}

function unescape(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 't' ? '\t' : letter === 'n' ? '\n' : letter));
}
