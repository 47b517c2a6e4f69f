import type { LogHistory, SettledPlace } from '#event-store/log-history';
import type { Place } from '#kernel/position';

/** A place between two events of a room in the order of its graph: just after an event of this depth, or just before it. */
export interface TimelinePlace {
  readonly depth: number;
  readonly place: Place;
}

/** A place that a client came with. The depth of one that is lost says nothing any more. */
export type TimelineToken = TimelinePlace & SettledPlace;

/** `t<depth>_<place>`. */
const TIMELINE_TOKEN = /^t(\d{1,16})_([0-9a-f-]{1,30})$/;

/** A place of a room's timeline as clients hold it. */
export function formatTimelinePlace(history: LogHistory, { depth, place }: TimelinePlace): string {
  return `t${depth}_${history.format(place)}`;
}

/** Reads what `formatTimelinePlace` wrote; undefined for anything else. */
export function findTimelineToken(history: LogHistory, text: string): TimelineToken | undefined {
  const [, depth, placed = ''] = TIMELINE_TOKEN.exec(text) ?? [];
  const settled = history.find(placed);
  return depth === undefined || settled === undefined ? undefined : { depth: Number(depth), ...settled };
}
