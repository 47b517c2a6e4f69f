import type { TimelineRow } from '#rooms/projections/timeline-row';
import { type EventForm, type EventViewer, renderEvents } from '#rooms/queries/render-event';

/**
 * Events of a room for the endpoints of 2015. In today's form they have `user_id` besides `sender`: the clients that still
 * call these endpoints under today's paths look for it.
 */
export async function renderForEventStream(
  rows: readonly TimelineRow[],
  viewer: EventViewer,
  form: EventForm,
): Promise<string[]> {
  const texts = await renderEvents(rows, viewer, form);
  if (form === 'v1') return texts;
  return texts.map((text, i) => `${text.slice(0, -1)},"user_id":${JSON.stringify(rows[i]?.header.sender)}}`);
}
