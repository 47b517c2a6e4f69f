import type { UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { UserRules } from '#push/compiled-rules';
import { overFrom } from '#rooms/reading/withhold-expired';
import { countByThread, type UnreadByThread } from './count-by-thread.js';
import type { ReadUpTo } from './read-up-to.js';
import type { FoundUnread, UnreadEvent, UnreadRules } from './unread-search.js';

/** The most unread events of a room that are counted. Beyond that only highlights are. */
const MAX_EVENTS = 10_000;
const MAX_OLDER_HIGHLIGHTS = 1_000;

/** What of a room is unread for a user. */
export interface UnreadOfRoom {
  readonly counts: UnreadByThread;
  /** Those that are counted, in their order. */
  readonly events: readonly UnreadEvent[];
  /** Where they were counted anew last and came to something else, or what they were before is not known: no event says so. */
  readonly anewAt: Position;
}

/** What is known of a user's unread events of a room, up to a position, and what that depends on. */
export interface Known extends UnreadOfRoom, Keeping {
  readonly rules: UserRules;
  readonly ignored: ReadonlySet<UserId>;
  readonly followed: UnreadRules['followed'];
  readonly upTo: Position;
  /** Whether some are hidden, from the user or but from others: a redaction may show them again, and another power level more of them, or fewer. */
  readonly hasHidden: boolean;
  /** What the rules looked at beside the events (`PushContexts.textOf`); undefined where they were asked of none. */
  readonly askedBy: string | undefined;
  /** By what the events were found unread; undefined where there were none. */
  readonly readUpTo: ReadUpTo | undefined;
}

/** How long events of a room are kept, and so are counted. */
export interface Keeping {
  /** For how many milliseconds, as it was asked last; `Infinity`: for ever; undefined: all were so fresh that nobody had to ask. */
  readonly lifetime: number | undefined;
  /** When the first of them is over, or may be, in milliseconds since the epoch; no later than that. */
  readonly overFrom: number;
}

export const KEPT_FOR_EVER: Keeping = Object.freeze({ lifetime: Infinity, overFrom: Infinity });

/** How long some events are kept that their room keeps for so long. */
export function keepingOf(events: readonly UnreadEvent[], lifetime: number | undefined): Keeping {
  let first = Infinity;
  for (const event of events) first = Math.min(first, overFrom(event, lifetime));
  return { lifetime, overFrom: first };
}

/** What is known, without what is over by now, of a room that keeps its messages for so long. `upTo`: as of where this is said. */
export function withoutOver(known: Known, lifetime: number, now: number, upTo: Position): Known {
  const events = known.events.filter((event) => overFrom(event, lifetime) > now);
  const kept = { ...known, ...keepingOf(events, lifetime) };
  return events.length === known.events.length
    ? kept
    : { ...kept, events, counts: countByThread(events), anewAt: upTo };
}

export const isNothing = ({ events, hasHidden }: Known): boolean => events.length === 0 && !hasHidden;

/** What is unread of what was known and of what was found after it. */
export async function taken(
  known: Known | undefined,
  found: FoundUnread,
  readUpTo: () => Promise<ReadUpTo>,
): Promise<Pick<Known, 'events' | 'counts'> & { readonly last: ReadUpTo | undefined }> {
  const earlier = known?.events ?? [];
  if (earlier.length + found.events.length === 0) return { events: [], counts: NOTHING, last: undefined };
  const last = await readUpTo();
  // PERF: where nothing was read since, only what is new is looked at: the others may be thousands (bench/send.ts).
  if (known !== undefined && isContinued(known, found, last)) {
    const fresh = found.events.filter((event) => isUnread(event, last));
    const events = limited([...earlier, ...fresh]);
    const isWhole = events.length === earlier.length + fresh.length;
    return { events, counts: isWhole ? countByThread(fresh, known.counts) : countByThread(events), last };
  }
  const events = limited(joined(earlier, found).filter((event) => isUnread(event, last)));
  return { events, counts: countByThread(events), last };
}

/** Whether all that was known to be unread still is. */
function isContinued(known: Known, { own, beginsWithJoin }: FoundUnread, last: ReadUpTo): boolean {
  return own.size === 0 && !beginsWithJoin && areSameReads(known.readUpTo, last);
}

/** What was known and what was found after it, without what the user's own later events have read. */
function joined(known: readonly UnreadEvent[], { events, own, beginsWithJoin }: FoundUnread): readonly UnreadEvent[] {
  if (beginsWithJoin || known.length === 0) return events;
  const left = own.size === 0 ? known : known.filter(({ position, thread }) => position > (own.get(thread) ?? START));
  return [...left, ...events];
}

function limited(events: readonly UnreadEvent[]): readonly UnreadEvent[] {
  const excess = events.length - MAX_EVENTS;
  if (excess <= 0) return events;
  const highlights = events.slice(0, excess).filter(({ isHighlight }) => isHighlight);
  return [...highlights.slice(-MAX_OLDER_HIGHLIGHTS), ...events.slice(excess)];
}

export function isUnread({ position, thread }: UnreadEvent, { all, threads }: ReadUpTo): boolean {
  return position > all && position > (threads.get(thread) ?? START);
}

const NOTHING: UnreadByThread = new Map();

/** Whether two looks at what a user has read found the same. */
function areSameReads(a: ReadUpTo | undefined, b: ReadUpTo): boolean {
  if (a === undefined || a.all !== b.all || a.threads.size !== b.threads.size) return false;
  return [...a.threads].every(([thread, position]) => b.threads.get(thread) === position);
}
