import type { TimelineRow } from '#rooms/projections/timeline-row';
import { renderEvents } from '#rooms/queries/render-event';
import { pickFieldsOfAll } from './pick-fields.js';
import type { RoomContext } from './room-context.js';
import type { TimelineWindow } from './timeline-window.js';

/**
 * Events of a room's timeline as /sync shows them: without `room_id`, under which they stand. JSON texts. Where the timeline
 * is limited they come with what relates to them, as the client may not have seen that.
 */
export async function renderTimeline(
  { shown, limited }: Pick<TimelineWindow, 'shown' | 'limited'>,
  room: RoomContext,
): Promise<readonly string[]> {
  const { now, filter, signed } = room.sync;
  const bundled = limited ? { upTo: room.upTo } : undefined;
  const served = await renderEvents(shown, { room: room.reader, now, bundled }, 'nested');
  const texts = signed === undefined ? served : await signed.write(room.roomId, shown, served);
  return pickFieldsOfAll(texts, filter.eventFields);
}

/** Events of a room's state. PERF: what each of them replaced is not told, which saves a look-up for each. */
export async function renderState(rows: readonly TimelineRow[], room: RoomContext): Promise<readonly string[]> {
  const plain = rows.map((row) =>
    row.header.replaces === undefined ? row : { header: { ...row.header, replaces: undefined }, content: row.content },
  );
  return renderTimeline({ shown: plain, limited: false }, room);
}
