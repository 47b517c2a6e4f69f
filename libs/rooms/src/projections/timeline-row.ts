import type { EventId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { longPosition, type Position, shortPosition } from '#kernel/position';
import type { Stickiness } from '#protocol/stickiness';
import type { HistoryVisibility } from '../facts/room-facts.js';
import { VISIBILITY_LETTERS, visibilityOf } from './visibility-letters.js';

/** What a reader must know of an event without parsing it. How it is stored is this file's business alone. */
export interface RowHeader {
  readonly eventId: EventId;
  readonly type: string;
  readonly sender: UserId;
  /** origin_server_ts in milliseconds. */
  readonly sentAt: number;
  /** When it came, of a message that says to have been sent later than that. */
  readonly arrivedAt?: number;
  /** The depth in the event graph, capped at 2^53-1. */
  readonly depth: number;
  /** Where the fact stands in the log. */
  readonly position: Position;
  /** The history visibility in force at the event. */
  readonly visibility: HistoryVisibility;
  /** Of state events alone. */
  readonly stateKey?: string;
  /** The history visibility that the event itself sets: of m.room.history_visibility only. */
  readonly setsVisibility?: HistoryVisibility;
  /** The membership: of m.room.member only. */
  readonly membership?: string;
  /** The event whose place it took in the state before it. */
  readonly replaces?: EventId;
  /** The event that it redacts, whatever became of that: of m.room.redaction only. */
  readonly redacts?: string;
  /** The redaction that took effect on it. */
  readonly redactedBy?: EventId;
  /** The event by which it is hidden from all but its sender and those who may hide. */
  readonly hiddenBy?: EventId;
  /** The device and the transaction that it was sent with. */
  readonly deviceId?: string;
  readonly txnId?: string;
  /** It was fetched from the past: its position says when, and nothing of its place in the room. */
  readonly isHistory?: boolean;
  /**
   * Some of its parents, or of those of refused events that it stands on, were not here when they came: between it and what came before,
   * events are missing or were news to nobody.
   */
  readonly isAfterGap?: boolean;
  /** With it the room's current state changed otherwise than by this event taking its own key: where extremities meet or part. */
  readonly isResolved?: boolean;
  /** A redaction of another server that has taken no effect here (yet): nobody is shown it. */
  readonly isWaiting?: boolean;
  /** The room forked at it: the state after it is not what the room's was when it came. */
  readonly isAside?: boolean;
  /** Resolution made it current again: `position` is where it did, and says nothing of when the event came. */
  readonly isAgain?: boolean;
  /** It is sticky, or was: MSC4354. */
  readonly sticky?: Stickiness;
  /** The content may hold numbers that a double cannot. */
  readonly lenient?: boolean;
}

/** A row taken apart. */
export interface TimelineRow {
  readonly header: RowHeader;
  /** The content of the event, as JSON text. */
  readonly content: string;
}

/*
 * A row is one text of fields with a line feed between them, which no JSON text holds: those that every event has, in order; then
 * those that some have, each behind its letter; last the content, as JSON. Texts are escaped as in JSON, without the quotes.
 */

const SEPARATOR = '\n';

/** The types that most events are of, by what stands for them: no escaped text has a tab. */
const FREQUENT_TYPES: Readonly<Record<string, string>> = {
  '\ta': 'm.room.message',
  '\tb': 'm.room.encrypted',
  '\tc': 'm.room.member',
  '\td': 'm.reaction',
  '\te': 'm.room.redaction',
};
const SHORT_TYPES = new Map(Object.entries(FREQUENT_TYPES).map(([short, type]) => [type, short]));

/** The fields that some events have, by the letters they stand behind. */
const STATE_KEY = 'k';
const SETS_VISIBILITY = 'v';
const MEMBERSHIP = 'm';
const REPLACES = 'r';
const REDACTS = 't';
const REDACTED_BY = 'b';
const HIDDEN_BY = 'i';
const DEVICE = 'd';
const TRANSACTION = 'x';
const LENIENT = 'n';
const HISTORY = 'h';
const AFTER_GAP = 'g';
const RESOLVED = 's';
const WAITING = 'w';
const ASIDE = 'a';
const AGAIN = 'c';
const STICKY = 'y';
const ARRIVED = 'f';

/** The row of a header and a content. PERF: put together by hand, as one text: every event that is accepted comes through here (bench/project-message.ts). */
export function formatRow(header: RowHeader, content: string): string {
  const { stateKey, setsVisibility, membership, replaces, redacts, redactedBy, deviceId, txnId, lenient } = header;
  let row =
    `${escaped(header.eventId)}\n${SHORT_TYPES.get(header.type) ?? escaped(header.type)}\n${escaped(header.sender)}\n${formatInteger(header.sentAt)}\n` +
    `${formatInteger(header.depth)}\n${VISIBILITY_LETTERS[header.visibility]}${shortPosition(header.position)}\n`;
  if (stateKey !== undefined) row += field(STATE_KEY, stateKey);
  if (setsVisibility !== undefined) row += field(SETS_VISIBILITY, VISIBILITY_LETTERS[setsVisibility]);
  if (membership !== undefined) row += field(MEMBERSHIP, membership);
  if (replaces !== undefined) row += field(REPLACES, replaces);
  if (redacts !== undefined) row += field(REDACTS, redacts);
  if (redactedBy !== undefined) row += field(REDACTED_BY, redactedBy);
  if (header.hiddenBy !== undefined) row += field(HIDDEN_BY, header.hiddenBy);
  if (deviceId !== undefined) row += field(DEVICE, deviceId);
  if (txnId !== undefined) row += field(TRANSACTION, txnId);
  if (header.isHistory === true) row += field(HISTORY, '');
  if (header.isAfterGap === true) row += field(AFTER_GAP, '');
  if (header.isResolved === true) row += field(RESOLVED, '');
  if (header.isWaiting === true) row += field(WAITING, '');
  if (header.isAside === true) row += field(ASIDE, '');
  if (header.isAgain === true) row += field(AGAIN, '');
  if (header.sticky !== undefined) row += field(STICKY, formatStickiness(header.sticky));
  if (header.arrivedAt !== undefined) row += field(ARRIVED, formatInteger(header.arrivedAt));
  if (lenient === true) row += field(LENIENT, '');
  return row + content;
}

function field(letter: string, text: string): string {
  return `${letter}${escaped(text)}\n`;
}

/** Takes a row apart. */
export function parseRow(row: string): TimelineRow {
  const end = row.lastIndexOf(SEPARATOR);
  return { header: headerOf(row, end), content: row.slice(end + 1) };
}

/** The header alone. */
export function rowHeaderOf(row: string): RowHeader {
  return headerOf(row, row.lastIndexOf(SEPARATOR));
}

type MutableHeader = { -readonly [K in keyof RowHeader]: RowHeader[K] };

/** The header of a row, which ends at `end`. PERF: read by position, in half the time that JSON.parse takes (bench/project-message.ts). */
function headerOf(row: string, end: number): RowHeader {
  const backslash = row.indexOf('\\');
  const isPlain = backslash < 0 || backslash > end;
  let to = -1;
  const next = (): string => {
    const from = to + 1;
    to = row.indexOf(SEPARATOR, from);
    return row.slice(from, to);
  };
  const header: MutableHeader = {
    eventId: textOf(next(), isPlain) as EventId,
    type: typeOf(next(), isPlain),
    sender: textOf(next(), isPlain) as UserId,
    sentAt: parseInteger(next()),
    arrivedAt: undefined,
    depth: parseInteger(next()),
    visibility: visibilityOf(row.charAt(to + 1)),
    position: longPosition(next().slice(1)),
    stateKey: undefined,
    setsVisibility: undefined,
    membership: undefined,
    replaces: undefined,
    redacts: undefined,
    redactedBy: undefined,
    hiddenBy: undefined,
    deviceId: undefined,
    txnId: undefined,
    isHistory: false,
    isAfterGap: false,
    isResolved: false,
    isWaiting: false,
    isAside: false,
    isAgain: false,
    sticky: undefined,
    lenient: false,
  };
  for (;;) {
    if (to >= end) return header;
    const letter = row.charAt(to + 1);
    const text = textOf(next().slice(1), isPlain);
    if (letter === DEVICE) header.deviceId = text;
    else if (letter === TRANSACTION) header.txnId = text;
    else if (letter === STATE_KEY) header.stateKey = text;
    else if (letter === MEMBERSHIP) header.membership = text;
    else if (letter === REPLACES) header.replaces = text as EventId;
    else if (letter === REDACTS) header.redacts = text;
    else if (letter === REDACTED_BY) header.redactedBy = text as EventId;
    else if (letter === HIDDEN_BY) header.hiddenBy = text as EventId;
    else if (letter === SETS_VISIBILITY) header.setsVisibility = visibilityOf(text);
    else if (letter === LENIENT) header.lenient = true;
    else if (letter === HISTORY) header.isHistory = true;
    else if (letter === AFTER_GAP) header.isAfterGap = true;
    else if (letter === RESOLVED) header.isResolved = true;
    else setRare(header, letter, text);
  }
}

/** Takes a field of a row that few events have. */
function setRare(header: MutableHeader, letter: string, text: string): void {
  if (letter === WAITING) header.isWaiting = true;
  else if (letter === ASIDE) header.isAside = true;
  else if (letter === AGAIN) header.isAgain = true;
  else if (letter === ARRIVED) header.arrivedAt = parseInteger(text);
  else if (letter === STICKY) header.sticky = parseStickiness(text);
  else throw new Error(`a row of an event has a field of an unknown kind: ${letter}`);
}

const RADIX = 36;

/** A number of an event. What is no natural number, as old rooms may have it, stands in its own spelling behind a sign. */
function formatInteger(value: number): string {
  return Number.isSafeInteger(value) && value >= 0 ? value.toString(RADIX) : `=${value}`;
}

function parseInteger(text: string): number {
  return text.charAt(0) === '=' ? Number(text.slice(1)) : parseInt(text, RADIX);
}

function formatStickiness({ durationMs, until }: Stickiness): string {
  return `${formatInteger(durationMs)},${formatInteger(until)}`;
}

function parseStickiness(text: string): Stickiness {
  const [durationMs = '', until = ''] = text.split(',');
  return { durationMs: parseInteger(durationMs), until: parseInteger(until) };
}

function typeOf(text: string, isPlain: boolean): string {
  return text.charAt(0) === '\t' ? (FREQUENT_TYPES[text] ?? text) : textOf(text, isPlain);
}

/** The content of an event, parsed; empty where it is no object. */
export function contentOfRow({ content }: TimelineRow): JsonObject {
  const parsed: unknown = JSON.parse(content);
  return isJsonObject(parsed) ? parsed : {};
}

/** Printable ASCII without quote and backslash: nothing to escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A JSON text. */
export function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function escaped(text: string): string {
  return PLAIN.test(text) ? text : JSON.stringify(text).slice(1, -1);
}

/** The text that `escaped` made a field of; `isPlain`: that escaped nothing. */
function textOf(text: string, isPlain: boolean): string {
  return isPlain || !text.includes('\\') ? text : (JSON.parse(`"${text}"`) as string);
}
