import type { EventId } from '#kernel/ids';
import type { TimelineRow } from '../projections/timeline-row.js';
import type { RoomReader } from '../reading/room-reader.js';
import { findRowsById } from './event-rows.js';

/** For whom the events of a room are written, and when. */
export interface EventViewer {
  readonly room: RoomReader;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** `today`: with `unsigned`. `v1`: as in 2015, `user_id` for the sender and the rest of `unsigned` at the top. */
export type EventForm = 'today' | 'v1';

/** What is told of events beside themselves, found for all of them together. */
interface Surroundings {
  /** The viewer over the stretch of the log in which all these events stand. */
  readonly room: RoomReader;
  readonly now: number;
  /** The events that others refer to: what a state event replaced, what redacted an event. */
  readonly byId: ReadonlyMap<EventId, TimelineRow>;
}

/**
 * Writes events of a room as clients get them, each a JSON text, in the order given. That the viewer may read them has been
 * decided; of other events they lead to, only what the viewer may see is told. PERF: put together from the text that the view
 * holds; only what a state event replaced is parsed. Measured by bench/initial-sync.ts.
 */
export async function renderEvents(
  rows: readonly TimelineRow[],
  { room, now }: EventViewer,
  form: EventForm = 'today',
): Promise<string[]> {
  const byId = await findReferred(room, rows);
  const surroundings: Surroundings = { room: await room.over([...rows, ...byId.values()]), now, byId };
  return rows.map((row) => renderEvent(row, surroundings, form));
}

/** One event as clients get it. */
export async function renderOne(row: TimelineRow, viewer: EventViewer, form: EventForm = 'today'): Promise<string> {
  const [text] = await renderEvents([row], viewer, form);
  return text as string;
}

/**
 * A state event as those see it who are not in the room yet: client-server API, "Stripped state". NOTSPEC: the create event is
 * told whole, as MSC4311 wants it and clients of rooms of version 12 look for it; in v1.19 it still has no more than the others.
 */
export function renderStripped(row: TimelineRow): string {
  if (row.header.t === 'm.room.create') return row.json;
  const { s: sender, k: state_key, t: type } = row.header;
  return `{"content":${contentText(row)},${JSON.stringify({ sender, state_key, type }).slice(1)}`;
}

/** The content of an event, as JSON text. */
export function contentText(row: TimelineRow): string {
  // `content` is the first key of the client JSON and `event_id` the next; inside a string its quotes would be escaped.
  const end = row.json.lastIndexOf(`,"event_id":`);
  return row.json.slice('{"content":'.length, end);
}

async function findReferred(room: RoomReader, rows: readonly TimelineRow[]): Promise<Surroundings['byId']> {
  const ids = new Set<EventId>();
  for (const { header } of rows) {
    if (header.r !== undefined) ids.add(header.r);
    if (header.b !== undefined) ids.add(header.b);
  }
  if (ids.size === 0) return NOTHING;
  const found = await findRowsById(room.views, [...ids]);
  const here = found.filter((one) => one?.roomId === room.roomId);
  return new Map(here.flatMap((one) => (one === undefined ? [] : [[one.row.header.e, one.row]])));
}

const NOTHING: Surroundings['byId'] = new Map();

function renderEvent(row: TimelineRow, surroundings: Surroundings, form: EventForm): string {
  const { room, now, byId } = surroundings;
  const { reader } = room;
  const { header, json } = row;
  const { x, r, b } = header;
  const parts = [`"age":${Math.max(0, now - header.o)}`];
  if (x !== undefined && header.s === reader.userId && x[0] === reader.deviceId) {
    parts.push(`"transaction_id":${JSON.stringify(x[1])}`);
  }
  if (r !== undefined) {
    // "Unlike prev_content, this field is included regardless of history visibility."
    parts.push(`"replaces_state":${JSON.stringify(r)}`);
    const replaced = byId.get(r);
    if (replaced !== undefined && room.maySee(replaced.header)) {
      parts.push(`"prev_content":${contentText(replaced)}`, `"prev_sender":${JSON.stringify(replaced.header.s)}`);
    }
  }
  const redaction = b === undefined ? undefined : byId.get(b);
  if (redaction !== undefined && room.isShown(redaction.header)) {
    parts.push(`"redacted_because":${renderEvent(redaction, surroundings, form)}`);
  }
  if (form === 'v1') return `${asV1(json).slice(0, -1)},${parts.join()}}`;
  parts.push(`"membership":${JSON.stringify(room.memberships.at(header.p))}`);
  return `${json.slice(0, -1)},"unsigned":{${parts.join()}}}`;
}

function asV1(json: string): string {
  // Nothing behind the content can hold this text: in a string its quotes would be escaped.
  const at = json.lastIndexOf(`,"sender":`);
  return `${json.slice(0, at)},"user_id":${json.slice(at + `,"sender":`.length)}`;
}
