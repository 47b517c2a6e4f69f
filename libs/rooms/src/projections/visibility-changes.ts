import type { EventId, RoomId } from '#kernel/ids';
import type { OwnRows } from '#projections/projector';
import { visibilityChangeOf } from '#protocol/message-visibility';
import { relationOf, REPLACE } from '#protocol/relation';
import { type EventKeyPart, eventKeyPart, type EventPlace } from './event-place.js';
import { hiddenRowOf } from './make-row.js';
import type { AcceptedFact } from './room-fact-reader.js';
import { collectionOf, EDITS, EVENTS, rowKeyOf, VISIBILITY_CHANGES } from './timeline-collections.js';
import { contentOfRow, parseRow, type TimelineRow } from './timeline-row.js';

/** PERF: whether an event has anything to do with what is hidden, if it was made here; told by its relation alone. */
export function mayConcernVisibility({ data, content }: AcceptedFact): boolean {
  return data.moderates === true || relationOf(content)?.relType === REPLACE;
}

/**
 * Notes what an event that has just been stored does to others, and what others do to it: it may hide or show one, edit one that is
 * hidden, or have been hidden before it came.
 */
export async function applyVisibility({ roomId, data, content }: AcceptedFact, rows: OwnRows): Promise<void> {
  const { event_id: eventId, pdu, origin, moderates, redacted_by: redactedBy } = data;
  const { relType, parent } = relationOf(content) ?? {};
  const isEdit = relType === REPLACE && parent !== undefined;
  if (isEdit) EDITS.put(rows, [roomId, eventKeyPart(parent), eventId], true);
  const id = eventKeyPart(eventId);
  // PERF: what was made here nobody could name before; of what comes from elsewhere one look tells that nobody did.
  const mayBeNamed = origin !== undefined && pdu['state_key'] === undefined;
  if (isEdit || (mayBeNamed && (await isNamed(roomId, id, rows)))) await settle(roomId, id, rows);
  if (moderates !== true || redactedBy !== undefined) return;
  const type = String(pdu['type']);
  const change = visibilityChangeOf({ type, content });
  if (change === undefined) return;
  const { target, isVisible: visible } = change;
  VISIBILITY_CHANGES.put(rows, [roomId, eventKeyPart(target), eventId], {
    visible,
    at: Number(pdu['origin_server_ts']),
  });
  await settle(roomId, eventKeyPart(target), rows);
}

/** Takes back what an event said of another's visibility, once it is redacted. `row`: as it was until then. */
export async function forgetVisibility(roomId: RoomId, row: string, rows: OwnRows): Promise<void> {
  const { header, content } = parseRow(row);
  // PERF: nothing is parsed of what relates to nothing.
  if (header.redactedBy !== undefined || !content.includes('"m.relates_to"')) return;
  const change = changeOf({ header, content });
  if (change === undefined) return;
  // Nothing tells any more that it was one: whoever reads the log anew takes it for any other.
  await settle(roomId, eventKeyPart(header.eventId), rows);
  const key = [roomId, eventKeyPart(change.target), header.eventId] as const;
  if (!(await VISIBILITY_CHANGES.has(rows, key))) return;
  VISIBILITY_CHANGES.delete(rows, key);
  await settle(roomId, eventKeyPart(change.target), rows);
}

/** Whether anybody who may do so hid an event, or showed it again. */
async function isNamed(roomId: RoomId, id: EventKeyPart, rows: OwnRows): Promise<boolean> {
  return (await VISIBILITY_CHANGES.scan(rows, { prefix: [roomId, id], limit: 1 })).length > 0;
}

/** Writes by what an event is hidden into its row, and into those of its edits; nothing where it is not here. */
async function settle(roomId: RoomId, id: EventKeyPart, rows: OwnRows): Promise<void> {
  const stored = await findRow(roomId, id, rows);
  if (stored === undefined || !canBeHidden(stored.row)) return;
  const { header } = stored.row;
  const own = await findHiding(roomId, id, rows);
  await putHidden(stored, own ?? (await findHidingOfEdited(roomId, stored.row, rows)), rows);
  for await (const page of EDITS.pages(rows, { prefix: [roomId, id] })) {
    for (const { key } of page) {
      const edit = await findRow(roomId, eventKeyPart(key[2]), rows);
      if (edit === undefined || !isEditOf(edit.row, header)) continue;
      await putHidden(edit, (await findHiding(roomId, eventKeyPart(key[2]), rows)) ?? own, rows);
    }
  }
}

interface Stored {
  readonly roomId: RoomId;
  readonly place: EventPlace;
  readonly text: string;
  readonly row: TimelineRow;
}

async function findRow(roomId: RoomId, id: EventKeyPart, rows: OwnRows): Promise<Stored | undefined> {
  const place = await EVENTS.get(rows, [id, roomId]);
  const text = place && (await collectionOf(place).get(rows, rowKeyOf(roomId, place)));
  return text === undefined ? undefined : { roomId, place: place!, text, row: parseRow(text) };
}

async function putHidden({ roomId, place, text, row }: Stored, by: EventId | undefined, rows: OwnRows): Promise<void> {
  if (row.header.hiddenBy === by) return;
  collectionOf(place).put(rows, rowKeyOf(roomId, place), hiddenRowOf(text, by));
}

/** State events never, nor what hides and shows others: what it does must be told to all. */
function canBeHidden(row: TimelineRow): boolean {
  return row.header.stateKey === undefined && changeOf(row) === undefined;
}

/**
 * The event that hides one, if that is the last that was said of it: "we consider the most recent one (by order of `origin_server_ts`) the
 * source of truth" (MSC3531); of two of one time that with the greater id, so that all servers agree.
 */
async function findHiding(roomId: RoomId, id: EventKeyPart, rows: OwnRows): Promise<EventId | undefined> {
  let last: { readonly by: EventId; readonly at: number; readonly visible: boolean } | undefined;
  for await (const page of VISIBILITY_CHANGES.pages(rows, { prefix: [roomId, id] })) {
    for (const { key, value } of page) {
      const [, , by] = key;
      if (last === undefined || value.at > last.at || (value.at === last.at && by > last.by)) last = { by, ...value };
    }
  }
  return last === undefined || last.visible ? undefined : last.by;
}

/** By what the event is hidden that an event edits: its new text is that of the hidden one. */
async function findHidingOfEdited(roomId: RoomId, row: TimelineRow, rows: OwnRows): Promise<EventId | undefined> {
  const { relType, parent } = relationOf(contentOfRow(row)) ?? {};
  if (relType !== REPLACE || parent === undefined) return undefined;
  const edited = await findRow(roomId, eventKeyPart(parent), rows);
  return edited !== undefined && isEditOf(row, edited.row.header) ? edited.row.header.hiddenBy : undefined;
}

/** Only the sender of an event edits it: what others say to replace it is a message of theirs. */
function isEditOf({ header }: TimelineRow, edited: TimelineRow['header']): boolean {
  return header.sender === edited.sender && header.stateKey === undefined;
}

function changeOf(row: TimelineRow): ReturnType<typeof visibilityChangeOf> {
  const { type, stateKey } = row.header;
  return visibilityChangeOf({ type, stateKey, content: contentOfRow(row) });
}
