import type { EventId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { relationOf, REPLACE } from '#protocol/relation';
import { contentOfRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { readBundles } from '#rooms/queries/read-bundles';
import { findRowsById } from '#rooms/reading/event-rows';
import type { RoomReader } from '#rooms/reading/room-reader';
import { servedWhole } from '#rooms/reading/withhold';

/** A message, and what it says by now. */
export interface SaidNow {
  readonly row: TimelineRow;
  readonly content: JsonObject;
}

/**
 * What some events that the reader is served say by now, in their order: of one that was edited what its last edit says (client-server API, "Event replacements").
 * An edit among them is none of its own where what it edits is there too, and is nothing where that was redacted, or is withheld from the reader.
 */
export async function sayNow(room: RoomReader, rows: readonly TimelineRow[]): Promise<SaidNow[]> {
  const edited = await findEdited(room, rows);
  const originals = rows.map((row) => edited.get(row.header.eventId) ?? row);
  const there = await room.over([...rows, ...originals]);
  const whole = new Set(await servedWhole(there, originals.filter(isThere)));
  const bundles = await readBundles(there, [...whole], {});
  const said = new Map<EventId, SaidNow>();
  for (const [i, row] of rows.entries()) {
    const original = originals[i]!;
    const { eventId } = original.header;
    if (!whole.has(original) || said.has(eventId)) continue;
    const { replacement } = bundles.get(eventId) ?? {};
    said.set(eventId, { row, content: saidBy(replacement ?? row) });
  }
  return [...said.values()];
}

/** What the edits among some events edit, by the ids of the edits: of the same sender and type, or they are messages of their own. */
async function findEdited(room: RoomReader, rows: readonly TimelineRow[]): Promise<Map<EventId, TimelineRow>> {
  const edits = rows.flatMap((row) => {
    const parent = parentOf(row);
    return parent === undefined ? [] : [{ row, parent }];
  });
  const found = edits.length === 0 ? [] : await findRowsById(room.views, room.roomId, edits.map(({ parent }) => parent)); // prettier-ignore
  const edited = new Map<EventId, TimelineRow>();
  for (const [i, { row }] of edits.entries()) {
    const one = found[i];
    if (one?.header.sender === row.header.sender && one.header.type === row.header.type)
      edited.set(row.header.eventId, one);
  }
  return edited;
}

function parentOf(row: TimelineRow): EventId | undefined {
  if (row.header.stateKey !== undefined) return undefined;
  const relation = relationOf(contentOfRow(row));
  return relation?.relType === REPLACE ? relation.parent : undefined;
}

function saidBy(row: TimelineRow): JsonObject {
  const content = contentOfRow(row);
  const { 'm.new_content': edited } = content;
  return parentOf(row) !== undefined && isJsonObject(edited) ? edited : content;
}

const isThere = ({ header }: TimelineRow): boolean => header.redactedBy === undefined;
