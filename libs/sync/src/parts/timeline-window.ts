import type { Position } from '#kernel/position';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import type { RecentRows } from './recent-rows.js';

/** The part of a room's timeline that an answer shows. All lists are in the order of the log. */
export interface TimelineWindow {
  readonly shown: readonly TimelineRow[];
  /** State events of the same stretch that are not shown: the filter or the visibility is against it. */
  readonly hidden: readonly TimelineRow[];
  /** Whether there is more to show before it. */
  readonly limited: boolean;
  /** Somewhere in it the room's current state changed otherwise than the events of the timeline say. */
  readonly isResolved: boolean;
}

export interface WindowOptions {
  /** Only what comes after this position. */
  readonly after: Position | undefined;
  /** The most events to show. */
  readonly limit: number;
  /**
   * The client takes the state from the timeline too: an event must not be shown where the last one of its state key is hidden,
   * as the client would take what it says for what is so. The window begins after it.
   */
  readonly foldsState?: boolean;
  shows(row: TimelineRow): boolean | Promise<boolean>;
}

/** The most events looked at to find those to show. Beyond that the window counts as limited. */
const MAX_SCANNED = 1_000;

/** Finds the newest events to show, going backwards up to where history is missing. */
export async function readWindow(recent: RecentRows, options: WindowOptions): Promise<TimelineWindow> {
  const { after, limit, shows, foldsState = false } = options;
  const shown: TimelineRow[] = [];
  const hidden: TimelineRow[] = [];
  let limited = false;
  let isResolved = false;
  for (let i = 0; ; i++) {
    const row = recent.peek(i) ?? (await recent.at(i));
    if (row === undefined || (after !== undefined && row.header.position <= after)) break;
    if (i === MAX_SCANNED) {
      limited = true;
      break;
    }
    // PERF: most answers come at once; waiting for each of them would cost a turn of the queue for every event.
    const isShown = shows(row);
    if (!(typeof isShown === 'boolean' ? isShown : await isShown)) {
      if (row.header.stateKey !== undefined) hidden.push(row);
    } else if (shown.length < limit && !(foldsState && isReplaced(row, shown, hidden))) shown.push(row);
    else {
      limited = true;
      break;
    }
    if (row.header.isResolved === true) isResolved = true;
    // What is missing before it, or was news to nobody, the client finds in pages only if it knows that there is more.
    if (row.header.isAfterGap === true) {
      limited = true;
      break;
    }
  }
  return { shown: shown.toReversed(), hidden: hidden.toReversed(), limited, isResolved };
}

/** Whether the last event of the same state key, among later ones, newest first, is a hidden one. */
function isReplaced({ header }: TimelineRow, shown: readonly TimelineRow[], hidden: readonly TimelineRow[]): boolean {
  if (header.stateKey === undefined || hidden.length === 0) return false;
  const isSame = (row: TimelineRow): boolean =>
    row.header.type === header.type && row.header.stateKey === header.stateKey;
  const replacing = hidden.find(isSame);
  if (replacing === undefined) return false;
  const told = shown.find(isSame);
  return told === undefined || told.header.position < replacing.header.position;
}
