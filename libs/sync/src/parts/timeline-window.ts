import type { Position } from '#kernel/position';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import type { RecentRows } from './recent-rows.js';

/** The part of a room's timeline that an answer shows. All lists are in the order of the log. */
export interface TimelineWindow {
  readonly shown: readonly TimelineRow[];
  /** State events of the same stretch that are not shown: the filter or the visibility is against it. */
  readonly hidden: readonly TimelineRow[];
  /** Redactions of it that took effect and are not shown either: what they took from the state no other event says. */
  readonly redactions: readonly TimelineRow[];
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
   * Given where the client takes the state from the timeline too, and what it shows last of a state key for what is so: whether a
   * state event says what is so where the window ends. What is replaced by a hidden event the window begins after; what state
   * resolution replaced is left out.
   */
  readonly isSo?: (row: TimelineRow) => Promise<boolean>;
  /** State events that came after the stretch and are not shown either: they count as hidden ones of it. */
  readonly hiddenSince?: readonly TimelineRow[];
  shows(row: TimelineRow): boolean | Promise<boolean>;
}

/** The most events looked at to find those to show. Beyond that the window counts as limited. */
const MAX_SCANNED = 1_000;

/** Finds the newest events to show, going backwards up to where history is missing. */
export async function readWindow(recent: RecentRows, options: WindowOptions): Promise<TimelineWindow> {
  const { after, limit, shows, isSo, hiddenSince = [] } = options;
  const shown: TimelineRow[] = [];
  const hidden: TimelineRow[] = hiddenSince.toReversed();
  const redactions: TimelineRow[] = [];
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
    const isForked: boolean = isResolved || row.header.isResolved === true;
    if (!(typeof isShown === 'boolean' ? isShown : await isShown)) {
      if (row.header.stateKey !== undefined) hidden.push(row);
      if (row.header.redacts !== undefined && row.header.isWaiting !== true) redactions.push(row);
    } else if (shown.length === limit || (isSo !== undefined && !isForked && isReplaced(row, shown, hidden))) {
      limited = true;
      break;
    } else if (isSo === undefined || !isForked || isOvertaken(row, shown) || (await isSo(row))) shown.push(row);
    // NOTSPEC: else it is left out, for a timeline cannot say that it is not so any more: what is so may have come before it, or
    // never as news. To begin the window after it would hold back the messages before it, and clients that show or answer what
    // timelines bring would miss them: whoever may set any state could do that to all others, whenever they like. Pages have it.
    isResolved = isForked;
    // What is missing before it, or was news to nobody, the client finds in pages only if it knows that there is more.
    if (row.header.isAfterGap === true) {
      limited = true;
      break;
    }
  }
  for (const rows of [shown, hidden, redactions]) rows.reverse();
  return { shown, hidden, redactions, limited, isResolved };
}

/** The events of a stretch that may have changed what its room is called and who is in it, shown or not. */
export function changingRows({ shown, hidden, redactions }: TimelineWindow): TimelineRow[] {
  return [...shown, ...hidden, ...redactions];
}

/** The ids of what the redactions among some events redact. */
export function targetsOf(rows: readonly TimelineRow[]): ReadonlySet<string> {
  return new Set(rows.flatMap(({ header }) => header.redacts ?? []));
}

/** Whether the last event of the same state key, among later ones, newest first, is a hidden one. */
function isReplaced(row: TimelineRow, shown: readonly TimelineRow[], hidden: readonly TimelineRow[]): boolean {
  if (row.header.stateKey === undefined || hidden.length === 0) return false;
  const replacing = hidden.find((other) => isSameKey(row, other));
  if (replacing === undefined) return false;
  const told = shown.find((other) => isSameKey(row, other));
  return told === undefined || told.header.position < replacing.header.position;
}

/** Whether it is no state event, or a later one of the same key is shown. */
function isOvertaken(row: TimelineRow, shown: readonly TimelineRow[]): boolean {
  return row.header.stateKey === undefined || shown.some((other) => isSameKey(row, other));
}

function isSameKey({ header: a }: TimelineRow, { header: b }: TimelineRow): boolean {
  return a.type === b.type && a.stateKey === b.stateKey;
}
