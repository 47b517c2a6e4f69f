import type { EventId, RoomId } from '#kernel/ids';
import { hidingReasonOf } from '#protocol/message-visibility';
import { isExpiry } from '../decide/retention.js';
import { DELAYED_BY } from '../delayed-sends.js';
import { clientEventOf } from '../projections/client-event.js';
import { contentOfRow, type TimelineRow } from '../projections/timeline-row.js';
import type { RoomReader } from '../reading/room-reader.js';
import { withhold } from '../reading/withhold.js';
import { findRowsById } from '../reading/event-rows.js';
import { type Bundle, type BundleRange, type Bundles, NO_BUNDLES, readBundles } from './read-bundles.js';

/** For whom the events of a room are written, and when. */
export interface EventViewer {
  readonly room: RoomReader;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** With what others say of the events, summed up: `unsigned.m.relations`. Today's form only. */
  readonly bundled?: BundleRange;
}

/**
 * `today`: with `unsigned`; `nested`: the same under the name of the room, and so without it. `v1`: as in 2015, `user_id` for
 * the sender and the rest of `unsigned` at the top.
 */
export type EventForm = 'today' | 'nested' | 'v1';

/** What is told of events beside themselves, found for all of them together. */
interface Surroundings {
  /** The viewer over the stretch of the log in which all these events stand. */
  readonly room: RoomReader;
  readonly now: number;
  /** The events that others lead to, as they are served: what a state event replaced, what redacted or hides an event, what is bundled. */
  readonly byId: ReadonlyMap<EventId, TimelineRow>;
  readonly bundles: Bundles;
}

/**
 * Writes events of a room as clients get them, each a JSON text, in the order given. That the viewer may read them has been
 * decided; of other events they lead to, only what the viewer may see is told. PERF: put together from the texts that the
 * view holds, none of which is parsed. Measured by bench/initial-sync.ts.
 */
export async function renderEvents(
  events: readonly TimelineRow[],
  { room, now, bundled }: EventViewer,
  form: EventForm = 'today',
): Promise<string[]> {
  const rows = await inTheirPlaces(room, events);
  const referred = await findReferred(room, rows);
  const bundles = bundled !== undefined && form !== 'v1' ? await readBundles(room, rows, bundled) : NO_BUNDLES;
  const all = [...rows, ...referred, ...rowsOf(bundles)];
  const there = await room.over(all);
  const served = await withhold(there, all);
  const byId = new Map(served.slice(rows.length).map((row) => [row.header.eventId, row]));
  const surroundings: Surroundings = { room: there, now, byId, bundles };
  return served.slice(0, rows.length).map((row) => renderEvent(row, surroundings, form));
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
export function renderStripped(row: TimelineRow, roomId: RoomId): string {
  const { type, sender, stateKey: state_key } = row.header;
  if (type === 'm.room.create') return clientEventOf(row, roomId);
  return `{"content":${row.content},${JSON.stringify({ sender, state_key, type }).slice(1)}`;
}

/**
 * The same events; those that are current again as they stand where they came: what was before them, and what the reader was at them,
 * is that of then.
 */
async function inTheirPlaces(room: RoomReader, rows: readonly TimelineRow[]): Promise<readonly TimelineRow[]> {
  const again = rows.flatMap(({ header }) => (header.isAgain === true ? [header.eventId] : []));
  if (again.length === 0) return rows;
  const found = await findRowsById(room.views, room.roomId, again);
  const own = new Map(found.flatMap((row) => (row === undefined ? [] : [[row.header.eventId, row]])));
  return rows.map((row) => (row.header.isAgain === true ? (own.get(row.header.eventId) ?? row) : row));
}

async function findReferred(room: RoomReader, rows: readonly TimelineRow[]): Promise<TimelineRow[]> {
  const ids = new Set<EventId>();
  for (const { header } of rows) {
    if (header.replaces !== undefined) ids.add(header.replaces);
    if (header.redactedBy !== undefined) ids.add(header.redactedBy);
    else if (header.hiddenBy !== undefined) ids.add(header.hiddenBy);
  }
  if (ids.size === 0) return [];
  return (await findRowsById(room.views, room.roomId, [...ids])).filter((row) => row !== undefined);
}

/** Of an event that was sent later, for its sender alone: MSC4140, "`delay_id` in `unsigned` event data". */
function delayIdOf(txnId: string): string {
  const id = JSON.stringify(txnId);
  return `"delay_id":${id},"org.matrix.msc4140.delay_id":${id}`;
}

/**
 * An event within another (`depth` > 0) is told without what it leads to itself, but for the latest event of a thread: what else is
 * there depends on which other events are asked for with it.
 */
function renderEvent(row: TimelineRow, surroundings: Surroundings, form: EventForm, depth = 0): string {
  const { room, now, byId, bundles } = surroundings;
  const { reader } = room;
  const { header } = row;
  const { deviceId, txnId, replaces, redactedBy } = header;
  const parts = [`"age":${ageOf(header, now)}`];
  // "Clients SHOULD use this value to determine when the sticky event expires": their clocks may be wrong.
  const stickyFor = header.sticky === undefined ? 0 : header.sticky.until - now;
  if (stickyFor > 0) parts.push(`"msc4354_sticky_duration_ttl_ms":${stickyFor}`);
  if (txnId !== undefined && header.sender === reader.userId) {
    if (deviceId === reader.deviceId) parts.push(`"transaction_id":${JSON.stringify(txnId)}`);
    if (deviceId === DELAYED_BY) parts.push(delayIdOf(txnId));
  }
  if (replaces !== undefined) {
    // "Unlike prev_content, this field is included regardless of history visibility."
    parts.push(`"replaces_state":${JSON.stringify(replaces)}`);
    const replaced = byId.get(replaces);
    if (depth === 0 && replaced !== undefined && room.isShown(replaced.header)) {
      parts.push(`"prev_content":${replaced.content}`, `"prev_sender":${JSON.stringify(replaced.header.sender)}`);
    }
  }
  const redaction = depth > 0 || redactedBy === undefined ? undefined : byId.get(redactedBy);
  if (redaction !== undefined && room.isShown(redaction.header)) {
    const inner = renderEvent(redaction, surroundings, form === 'nested' ? 'today' : form, MAX_DEPTH);
    // NOTSPEC: the id as well, as servers in use tell it, and what was written for them looks for.
    parts.push(`"redacted_by":${JSON.stringify(redactedBy)}`, `"redacted_because":${inner}`);
  } else if (isExpiry(redactedBy)) parts.push(`"redacted_because":${expiryText(header, room.roomId)}`);
  const hidden = hiddenPart(header, surroundings);
  if (hidden !== undefined) parts.push(hidden);
  const text = clientEventOf(row, form === 'nested' ? undefined : room.roomId);
  if (form === 'v1') return `${asV1(text).slice(0, -1)},${parts.join()}}`;
  const bundle = bundles.get(header.eventId);
  if (bundle !== undefined) parts.push(...renderBundle(bundle, surroundings, depth));
  parts.push(`"membership":${JSON.stringify(room.membershipAt(header))}`);
  return `${text.slice(0, -1)},"unsigned":{${parts.join()}}}`;
}

/**
 * What stands in the place of a redaction of an event that the room keeps no longer: clients know by it that there is no content, and take for
 * broken, or not to be decrypted, what has neither. NOTSPEC: no such event is in the room, and none can be had by that id. It names the sender of
 * the event itself, for nobody else has had a part in it.
 */
function expiryText({ eventId, redactedBy, sender, sentAt }: TimelineRow['header'], room_id: RoomId): string {
  const origin_server_ts = Math.min(Math.max(0, Math.trunc(sentAt) || 0), Number.MAX_SAFE_INTEGER);
  return JSON.stringify({
    type: 'm.room.redaction',
    event_id: redactedBy,
    room_id,
    sender,
    origin_server_ts,
    redacts: eventId,
    content: { redacts: eventId, reason: 'This room keeps messages no longer' },
  });
}

/**
 * That an event is hidden, for whoever reads it: also its sender, and who is shown it all the same, are to know. NOTSPEC: MSC3531 leaves it to clients to
 * find that out by the other event; those that never saw that one could not.
 */
function hiddenPart({ hiddenBy, redactedBy }: TimelineRow['header'], { room, byId }: Surroundings): string | undefined {
  if (hiddenBy === undefined || redactedBy !== undefined) return undefined;
  const hiding = byId.get(hiddenBy);
  const isTold = hiding !== undefined && room.isShown(hiding.header);
  const why = isTold ? { event_id: hiddenBy, reason: hidingReasonOf(contentOfRow(hiding)) } : {};
  return `"org.matrix.msc3531.visibility":${JSON.stringify({ visible: false, ...why })}`;
}

/** A number that canonical JSON can hold, whatever time its server says. */
function ageOf({ sentAt }: TimelineRow['header'], now: number): number {
  return Math.min(Math.max(0, now - sentAt), Number.MAX_SAFE_INTEGER);
}

/** The deepest an event is told within another: the latest event of a thread, with its replacement. */
const MAX_DEPTH = 2;

/** `m.relations`, where there is any to tell so deep. */
function renderBundle(
  { replacement, references, thread }: Bundle,
  surroundings: Surroundings,
  depth: number,
): string[] {
  if (depth >= MAX_DEPTH) return [];
  const inner = (row: TimelineRow, at: number): string =>
    renderEvent(surroundings.byId.get(row.header.eventId) ?? row, surroundings, 'today', at);
  const parts: string[] = [];
  // Threads within threads are not told: they could lead back.
  if (thread !== undefined && depth === 0) {
    const { latest, count, participated } = thread;
    const rest = `"count":${count},"current_user_participated":${participated}`;
    parts.push(`"m.thread":{"latest_event":${inner(latest, depth + 1)},${rest}}`);
  }
  if (replacement !== undefined) parts.push(`"m.replace":${inner(replacement, MAX_DEPTH)}`);
  if (references.length > 0) {
    const chunk = references.map((eventId) => ({ event_id: eventId }));
    parts.push(`"m.reference":${JSON.stringify({ chunk })}`);
  }
  return parts.length === 0 ? [] : [`"m.relations":{${parts.join()}}`];
}

function rowsOf(bundles: Bundles): TimelineRow[] {
  return [...bundles.values()].flatMap(({ replacement, thread }) =>
    [replacement, thread?.latest].filter((row) => row !== undefined),
  );
}

function asV1(json: string): string {
  // Nothing behind the content can hold this text: in a string its quotes would be escaped.
  const at = json.lastIndexOf(`,"sender":`);
  return `${json.slice(0, at)},"user_id":${json.slice(at + `,"sender":`.length)}`;
}
