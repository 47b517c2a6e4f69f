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
  const counts = moderates === true && redactedBy === undefined;
  const change = counts ? visibilityChangeOf({ type: String(pdu['type']), content }) : undefined;
  if (change !== undefined) {
    const key = [roomId, eventKeyPart(change.target), eventId] as const;
    VISIBILITY_CHANGES.put(rows, key, { visible: change.isVisible, at: Number(pdu['origin_server_ts']) });
  }
  const id = eventKeyPart(eventId);
  // PERF: what was made here nobody could name before; of what comes from elsewhere one look tells that nobody did.
  const mayBeNamed = origin !== undefined && pdu['state_key'] === undefined;
  if (isEdit || (mayBeNamed && (await isNamed(roomId, id, rows)))) await settle(roomId, id, rows);
  if (change !== undefined) await settle(roomId, eventKeyPart(change.target), rows);
}

/**
 * Takes back what an event said of others, once it is redacted: that one is hidden, or that it edits one. Nothing tells any more that it
 * was such: whoever reads the log anew takes it for any other. `row`: as it was until then.
 */
export async function forgetVisibility(roomId: RoomId, row: string, rows: OwnRows): Promise<void> {
  const { header, content } = parseRow(row);
  // PERF: nothing is parsed of what relates to nothing.
  if (header.redactedBy !== undefined || !content.includes('"m.relates_to"')) return;
  const { relType, parent } = relationOf(contentOfRow({ header, content })) ?? {};
  const isEdit = relType === REPLACE && parent !== undefined;
  const change = changeOf({ header, content });
  if (isEdit) EDITS.delete(rows, [roomId, eventKeyPart(parent), header.eventId]);
  const key = change && ([roomId, eventKeyPart(change.target), header.eventId] as const);
  const wasChange = key !== undefined && (await VISIBILITY_CHANGES.has(rows, key));
  if (wasChange) VISIBILITY_CHANGES.delete(rows, key);
  if (isEdit || wasChange) await settle(roomId, eventKeyPart(header.eventId), rows);
  if (wasChange) await settle(roomId, key[1] as EventKeyPart, rows);
}

/** Whether anybody who may do so hid an event, or showed it again. */
async function isNamed(roomId: RoomId, id: EventKeyPart, rows: OwnRows): Promise<boolean> {
  return (await VISIBILITY_CHANGES.scan(rows, { prefix: [roomId, id], limit: 1 })).length > 0;
}

/** Writes by what an event is hidden into its row, and into those of its edits, and of theirs; nothing where it is not here. */
async function settle(roomId: RoomId, id: EventKeyPart, rows: OwnRows): Promise<void> {
  const stored = await findRow(roomId, id, rows);
  if (stored === undefined || !(await canBeHidden(stored, rows))) return;
  const by = (await findHiding(roomId, id, rows)) ?? (await findHidingOfEdited(roomId, stored.row, rows));
  await putHidden(stored, by, rows);
  const settled: Settled[] = [{ id, sender: stored.row.header, by }];
  for (let edited = settled.pop(); edited !== undefined; edited = settled.pop()) {
    for await (const page of EDITS.pages(rows, { prefix: [roomId, edited.id] })) {
      for (const { key } of page) {
        const edit = await settleEdit(roomId, eventKeyPart(key[2]), edited, rows);
        if (edit !== undefined) settled.push(edit);
      }
    }
  }
}

/** An event of whose row it is certain by what it is hidden, or that it is not. */
interface Settled {
  readonly id: EventKeyPart;
  readonly sender: TimelineRow['header'];
  readonly by: EventId | undefined;
}

/** The same for one that may edit an event; undefined where nothing became of that. */
async function settleEdit(
  roomId: RoomId,
  id: EventKeyPart,
  edited: Settled,
  rows: OwnRows,
): Promise<Settled | undefined> {
  const edit = await findRow(roomId, id, rows);
  if (edit === undefined || !isEditOf(edit.row, edited.sender)) return undefined;
  const by = (await findHiding(roomId, id, rows)) ?? edited.by;
  if (edit.row.header.hiddenBy === by) return undefined;
  await putHidden(edit, by, rows);
  return { id, sender: edit.row.header, by };
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

/** State events never, nor what hides and shows others: what it does must be told to all. What only says that it does is as any other. */
async function canBeHidden({ roomId, row }: Stored, rows: OwnRows): Promise<boolean> {
  if (row.header.stateKey !== undefined) return false;
  const change = changeOf(row);
  if (change === undefined) return true;
  return !(await VISIBILITY_CHANGES.has(rows, [roomId, eventKeyPart(change.target), row.header.eventId]));
}

/**
 * The event that hides one, if that is the last that was said of it: "we consider the most recent one (by order of `origin_server_ts`) the
 * source of truth" (MSC3531); of two of one time that with the greater id, so that all servers agree.
 */
export async function findHiding(
  roomId: RoomId,
  id: EventKeyPart,
  rows: Pick<OwnRows, 'scan'>,
): Promise<EventId | undefined> {
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
