import type { EventId, RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { type HistoryVisibility, historyVisibilityOf, type StateChange } from '../facts/room-facts.js';

/** What a reader must know of an event without parsing it. The keys are short because every row of the timeline has them. */
export interface RowHeader {
  /** The event id. */
  readonly e: EventId;
  /** The type. */
  readonly t: string;
  /** The sender. */
  readonly s: UserId;
  /** The state key, of a state event. */
  readonly k?: string;
  /** origin_server_ts in milliseconds. */
  readonly o: number;
  /** The depth in the event graph, capped at 2^53-1. */
  readonly d: number;
  /** Where the fact stands in the log. */
  readonly p: Position;
  /** The history visibility in force at the event. */
  readonly v: HistoryVisibility;
  /** The history visibility that the event itself sets: of m.room.history_visibility only. */
  readonly w?: HistoryVisibility;
  /** The event whose place it took in the state. */
  readonly r?: EventId;
  /** The device and transaction id it was sent with. */
  readonly x?: readonly [deviceId: string, txnId: string];
  /** The membership: of m.room.member only. */
  readonly m?: string;
  /** The redaction that took effect on it. */
  readonly b?: EventId;
  /** 1 where the client JSON may hold numbers that a double cannot. */
  readonly n?: 1;
}

/** A row taken apart: the header parsed, the client's JSON as text. */
export interface TimelineRow {
  readonly header: RowHeader;
  /** The event as clients get it, without `unsigned`. */
  readonly json: string;
}

/** What a row is made of. */
export interface RowSource {
  readonly event_id: EventId;
  readonly roomId: RoomId;
  readonly position: Position;
  readonly visibility: HistoryVisibility;
  readonly state: readonly Pick<StateChange, 'event_id' | 'replaces'>[];
  readonly txn?: { readonly device_id: string; readonly txn_id: string };
  readonly pdu: JsonObject;
  readonly lenient: boolean;
}

/**
 * Makes the row of an event: the header's JSON, a line feed, the client's JSON. PERF: put together by hand, each text quoted
 * once; two calls of JSON.stringify on objects take twice as long (bench/project-message.ts).
 */
export function timelineRowOf(source: RowSource): string {
  const { pdu, txn } = source;
  const content = (pdu['content'] ?? {}) as JsonObject;
  const type = pdu['type'] as string;
  const stateKey = pdu['state_key'] as string | undefined;
  const known = namesOf(source.event_id, pdu);
  let header =
    `{"e":${known.eventId},"t":${known.type},"s":${known.sender},"o":${Number(pdu['origin_server_ts'])},` +
    `"d":${Math.min(Number(pdu['depth']), Number.MAX_SAFE_INTEGER)},"p":"${source.position}","v":"${source.visibility}"`;
  if (stateKey !== undefined) {
    header += `,"k":${known.stateKey}`;
    if (type === 'm.room.history_visibility' && stateKey === '') header += `,"w":"${historyVisibilityOf(content)}"`;
    if (type === 'm.room.member') header += `,"m":${JSON.stringify(String(content['membership']))}`;
    const replaces = source.state.find((it) => it.event_id === source.event_id)?.replaces;
    if (replaces !== undefined) header += `,"r":${quote(replaces)}`;
  }
  if (txn !== undefined) header += `,"x":[${quote(txn.device_id)},${quote(txn.txn_id)}]`;
  if (source.lenient) header += ',"n":1';
  return `${header}}\n${clientJson(known, source.roomId, pdu, source.lenient)}`;
}

/** The row once a redaction took effect: the same header with `b`, the JSON of what remains. */
export function redactedRowOf(row: string, redactedBy: EventId, roomId: RoomId, pdu: JsonObject): string {
  const { header } = parseRow(row);
  const w = header.w === undefined ? undefined : historyVisibilityOf((pdu['content'] ?? {}) as JsonObject);
  const json = clientJson(namesOf(header.e, pdu), roomId, pdu, header.n === 1);
  return `${JSON.stringify({ ...header, w, b: redactedBy })}\n${json}`;
}

/** Takes a row apart. */
export function parseRow(row: string): TimelineRow {
  const end = row.indexOf('\n');
  return { header: JSON.parse(row.slice(0, end)) as RowHeader, json: row.slice(end + 1) };
}

/** The content of an event, as JSON text. */
export function contentText({ json }: TimelineRow): string {
  return json.slice(CONTENT.length, endOfContent(json));
}

/** The content of an event, parsed; empty where it is no object. */
export function contentOfRow(row: TimelineRow): JsonObject {
  const content: unknown = JSON.parse(contentText(row));
  return isJsonObject(content) ? content : {};
}

/** The same event with another content, given as JSON text. */
export function withContent({ header, json }: TimelineRow, content: string): TimelineRow {
  return { header, json: `${CONTENT}${content}${json.slice(endOfContent(json))}` };
}

const CONTENT = '{"content":';

function endOfContent(json: string): number {
  // `content` is the first key of the client JSON and `event_id` the next; inside a string its quotes would be escaped.
  return json.lastIndexOf(`,"event_id":`);
}

/** The header alone. */
export function rowHeaderOf(row: string): RowHeader {
  return JSON.parse(row.slice(0, row.indexOf('\n'))) as RowHeader;
}

/** The texts that header and client JSON have in common, as JSON. */
interface Names {
  readonly eventId: string;
  readonly type: string;
  readonly sender: string;
  readonly stateKey: string | undefined;
}

function namesOf(eventId: EventId, pdu: JsonObject): Names {
  const stateKey = pdu['state_key'] as string | undefined;
  return {
    eventId: quote(eventId),
    type: quote(pdu['type'] as string),
    sender: quote(pdu['sender'] as string),
    stateKey: stateKey === undefined ? undefined : quote(stateKey),
  };
}

/** Printable ASCII without quote and backslash: nothing to escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/**
 * The event in the form of the client-server API ("ClientEventWithoutRoomID" plus room_id), keys in order, no `unsigned`. A
 * redaction names its target both at the top and in its content, whatever its room version: "Room Versions", version 11.
 */
function clientJson(known: Names, roomId: RoomId, pdu: JsonObject, lenient: boolean): string {
  let content = (pdu['content'] ?? {}) as JsonObject;
  let redacts = '';
  if (pdu['type'] === 'm.room.redaction') {
    const target = pdu['redacts'] ?? content['redacts'];
    // What is no event id is no target; and readers cut the content out by the keys after it (see `contentText`).
    if (typeof target === 'string') {
      content = { ...content, redacts: target };
      redacts = `"redacts":${quote(target)},`;
    }
  }
  const text = lenient ? canonicalJson(content, { lenient }) : JSON.stringify(content);
  const stateKey = known.stateKey === undefined ? '' : `"state_key":${known.stateKey},`;
  return (
    `{"content":${text},"event_id":${known.eventId},"origin_server_ts":${Number(pdu['origin_server_ts'])},` +
    `${redacts}"room_id":${quote(roomId)},"sender":${known.sender},${stateKey}"type":${known.type}}`
  );
}
