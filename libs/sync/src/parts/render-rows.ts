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
  const served = await renderEvents(withoutRoomId(shown, room), { room: room.reader, now, bundled });
  const texts = signed === undefined ? served : await signed.write(room.roomId, shown, served);
  return pickFieldsOfAll(texts, filter.eventFields);
}

/** Events of a room's state. PERF: what each of them replaced is not told, which saves a look-up for each. */
export async function renderState(rows: readonly TimelineRow[], room: RoomContext): Promise<readonly string[]> {
  const plain = rows.map(({ header, json }) =>
    header.r === undefined ? { header, json } : { header: { ...header, r: undefined }, json },
  );
  return renderTimeline({ shown: plain, limited: false }, room);
}

function withoutRoomId(rows: readonly TimelineRow[], { roomId }: RoomContext): TimelineRow[] {
  const mark = `,"room_id":${JSON.stringify(roomId)},"sender":`;
  return rows.map(({ header, json }) => {
    // Nothing behind the content can hold the mark: inside a string its quotes would be escaped.
    const at = json.lastIndexOf(mark);
    const rest = at + mark.length - ',"sender":'.length;
    return at < 0 ? { header, json } : { header, json: json.slice(0, at) + json.slice(rest) };
  });
}
