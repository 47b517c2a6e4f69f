import { readBundles } from '#rooms/queries/read-bundles';
import { contentOfRow, type TimelineRow } from '#rooms/projections/timeline-row';
import type { RoomReader } from '#rooms/reading/room-reader';
import { servedWhole } from '#rooms/reading/withhold';
import { textOfEvent } from '../projections/text-of-event.js';

/** The text of an event by which it is found; nothing where it has none. */
export function textOfRow(row: TimelineRow): string {
  const { type, stateKey } = row.header;
  return textOfEvent(type, stateKey, contentOfRow(row))?.text ?? '';
}

/**
 * The texts of some events that were edited as the reader is shown them: of the newest edit that they may know of, which is told with the
 * event, or else its own. What was said after they left is no way to find what was said before.
 */
export async function shownTexts(room: RoomReader, rows: readonly TimelineRow[]): Promise<Map<TimelineRow, string>> {
  if (rows.length === 0) return new Map();
  const bundles = await readBundles(room, rows, {});
  const edits = [...bundles.values()].flatMap(({ replacement }) => replacement ?? []);
  const whole = new Set(await servedWhole(await room.over(edits), edits));
  return new Map(
    rows.map((row) => {
      const edit = bundles.get(row.header.eventId)?.replacement;
      return [row, textOfRow(edit !== undefined && whole.has(edit) ? edit : row)] as const;
    }),
  );
}
