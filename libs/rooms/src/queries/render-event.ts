import type { EventId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { TimelineRow } from '../projections/timeline-row.js';
import { findRowsById } from './event-rows.js';
import { membershipAtEvent, type ReaderHistory } from './visibility.js';

/** For whom events are written, and when. */
export interface EventViewer {
  readonly userId: UserId;
  readonly deviceId?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Where it is known, `unsigned.membership` says what the viewer was at each event. */
  readonly history?: ReaderHistory;
}

/** `today`: with `unsigned`. `v1`: as in 2015, `user_id` for the sender and the rest of `unsigned` at the top. */
export type EventForm = 'today' | 'v1';

/** The events that others refer to, found together: what a state event replaced, what redacted an event. */
interface Related {
  readonly byId: ReadonlyMap<EventId, TimelineRow>;
}

/**
 * Writes events as clients get them, each a JSON text, in the order given. PERF: put together from the text that the view
 * holds; only what a state event replaced is parsed. Measured by bench/initial-sync.ts.
 */
export async function renderEvents(
  views: Views,
  rows: readonly TimelineRow[],
  viewer: EventViewer,
  form: EventForm = 'today',
): Promise<string[]> {
  const related = await findRelated(views, rows);
  return rows.map((row) => renderEvent(row, related, viewer, form));
}

/** One event as clients get it. */
export async function renderOne(
  views: Views,
  row: TimelineRow,
  viewer: EventViewer,
  form: EventForm = 'today',
): Promise<string> {
  const [text] = await renderEvents(views, [row], viewer, form);
  return text as string;
}

/** A state event as those see it who are not in the room yet: client-server API, "Stripped state". */
export function renderStripped(row: TimelineRow): string {
  const { s: sender, k: state_key, t: type } = row.header;
  return `{"content":${contentText(row)},${JSON.stringify({ sender, state_key, type }).slice(1)}`;
}

/** The content of an event, as JSON text. */
export function contentText(row: TimelineRow): string {
  // `content` is the first key of the client JSON and `event_id` the next; inside a string its quotes would be escaped.
  const end = row.json.lastIndexOf(`,"event_id":`);
  return row.json.slice('{"content":'.length, end);
}

async function findRelated(views: Views, rows: readonly TimelineRow[]): Promise<Related> {
  const ids = new Set<EventId>();
  for (const { header } of rows) {
    if (header.r !== undefined) ids.add(header.r);
    if (header.b !== undefined) ids.add(header.b);
  }
  if (ids.size === 0) return { byId: new Map() };
  const found = await findRowsById(views, [...ids]);
  return { byId: new Map(found.flatMap((one) => (one === undefined ? [] : [[one.row.header.e, one.row]]))) };
}

function renderEvent(row: TimelineRow, related: Related, viewer: EventViewer, form: EventForm): string {
  const { header, json } = row;
  const { x, r, b } = header;
  const parts = [`"age":${Math.max(0, viewer.now - header.o)}`];
  if (x !== undefined && header.s === viewer.userId && x[0] === viewer.deviceId) {
    parts.push(`"transaction_id":${JSON.stringify(x[1])}`);
  }
  if (r !== undefined) {
    parts.push(`"replaces_state":${JSON.stringify(r)}`);
    const replaced = related.byId.get(r);
    if (replaced !== undefined) {
      parts.push(`"prev_content":${contentText(replaced)}`, `"prev_sender":${JSON.stringify(replaced.header.s)}`);
    }
  }
  const redaction = b === undefined ? undefined : related.byId.get(b);
  if (redaction !== undefined) parts.push(`"redacted_because":${renderEvent(redaction, related, viewer, form)}`);
  if (form === 'v1') return `${asV1(json).slice(0, -1)},${parts.join()}}`;
  if (viewer.history !== undefined) {
    parts.push(`"membership":${JSON.stringify(membershipAtEvent(viewer.history, header.p))}`);
  }
  return `${json.slice(0, -1)},"unsigned":{${parts.join()}}}`;
}

function asV1(json: string): string {
  // Nothing behind the content can hold this text: in a string its quotes would be escaped.
  const at = json.lastIndexOf(`,"sender":`);
  return `${json.slice(0, at)},"user_id":${json.slice(at + `,"sender":`.length)}`;
}
