import { Inject, Injectable } from '@nestjs/common';
import type { EventId, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { CompiledRules, type UserRules } from '#push/compiled-rules';
import { listFollowedThreads } from '#rooms/queries/list-thread-subscriptions';
import { ActiveUsers } from '../notifier/active-users.js';
import { PushContexts } from './push-context.js';
import { type ReadUpTo, readReadUpTo } from './read-up-to.js';
import {
  type Budget,
  type FoundUnread,
  type UnreadEvent,
  type UnreadRoom,
  type UnreadRules,
  UnreadSearch,
} from './unread-search.js';

/** How many events of a room, or of one thread in it, notify a user who has not read them. */
export interface UnreadCount {
  readonly notifications: number;
  readonly highlights: number;
}

/** The counts of a room by thread. `main` is what is in no thread. */
export type UnreadByThread = ReadonlyMap<string, UnreadCount>;

/** What is known of a user's unread events of a room, up to a position, and what that depends on. */
interface Known {
  readonly rules: UserRules;
  readonly ignored: ReadonlySet<UserId>;
  readonly followed: UnreadRules['followed'];
  readonly upTo: Position;
  readonly events: readonly UnreadEvent[];
  /** The events, counted. */
  readonly counts: UnreadByThread;
  /** By what the events were found unread; undefined where there were none. */
  readonly readUpTo: ReadUpTo | undefined;
}

/** What of a room is unread for a user. */
export interface UnreadOfRoom {
  readonly counts: UnreadByThread;
  /** In their order, as far as they are counted. */
  readonly events: readonly UnreadEvent[];
}

/** Rooms with few unread events, and with many. */
const CACHED_ROOMS = 5_000;
const CACHED_LARGE_ROOMS = 2_000;
/** PERF: of a room that nobody reads each who is pushed to has many, and none are to be looked for again with each message. */
const CACHED_LARGE_EVENTS = { most: 300_000, weigh: ({ events }: Known): number => events.length };
const LARGE = 200;
/** The most unread events of a room that are counted. Beyond that only highlights are. */
const MAX_EVENTS = 10_000;
const MAX_OLDER_HIGHLIGHTS = 1_000;
/** The most events that one answer looks at, besides the newest ones of each of its rooms. */
const BUDGET = 20_000;

/**
 * Counts what notifies a user and is unread: client-server API, "Receiving notifications". Computed when somebody asks, from
 * the events behind the user's receipts and own events; what was computed is kept, so that the next time only newer events
 * are looked at. What was redacted since is taken out, and all of it is counted anew where the push rules, the ignored users or, as far as
 * rules ask for them, the threads that the user is subscribed to have changed.
 */
@Injectable()
export class UnreadCounts {
  readonly #known = new LruCache<string, Known>(CACHED_ROOMS);
  readonly #large = new LruCache<string, Known>(CACHED_LARGE_ROOMS, CACHED_LARGE_EVENTS);
  readonly #budgets = new WeakMap<UnreadRoom['sync'], Budget>();
  /** What push rules need of rooms. */
  readonly contexts: PushContexts;

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly rules: CompiledRules,
  ) {
    this.contexts = new PushContexts(views);
  }

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return {
      'unread-counts': this.#known.numbers,
      'unread-counts-large': this.#large.numbers,
      'push-contexts': this.contexts.numbers,
    };
  }

  /** The counts for the user of a context; without those threads that have nothing unread. */
  async read(room: UnreadRoom): Promise<UnreadByThread> {
    return (await this.find(room)).counts;
  }

  /** As `read`, with the events. */
  async find(room: UnreadRoom): Promise<UnreadOfRoom> {
    const { userId } = room.sync.requester;
    const key = `${userId} ${room.roomId}`;
    const rules = await this.rules.of(userId);
    const followed = rules.asksForThreads ? await listFollowedThreads(this.views, userId, room.roomId) : undefined;
    const known = this.#stillTrue(this.#known.get(key) ?? this.#large.get(key), { rules, followed }, room);
    let read: Promise<ReadUpTo> | undefined;
    const readUpTo = (): Promise<ReadUpTo> => (read ??= readReadUpTo(this.views, room.roomId, userId));
    if (known !== undefined && known.upTo > room.upTo) {
      const last = await readUpTo();
      const events = known.events.filter((event) => event.position <= room.upTo && isUnread(event, last));
      return { events, counts: countByThread(events) };
    }
    const by = { ...rules, followed };
    const search = new UnreadSearch(this.views, this.contexts, room, by, readUpTo);
    const found = await search.find(known?.upTo, this.#budgetOf(room.sync));
    const { events, counts, last } = await taken(known, found, readUpTo);
    const { ignored } = room.reader.reader;
    if (found.isComplete)
      this.#keep(key, { rules, followed, ignored, upTo: room.upTo, events, counts, readUpTo: last });
    return { counts, events };
  }

  /** What is known, as far as nothing that it depends on has changed. */
  #stillTrue(
    known: Known | undefined,
    { rules, followed }: Pick<Known, 'rules' | 'followed'>,
    { roomId, reader }: UnreadRoom,
  ): Known | undefined {
    if (known === undefined || known.rules !== rules || !areSame(known.ignored, reader.reader.ignored))
      return undefined;
    if (followed !== undefined && !areSame(known.followed ?? NO_THREADS, followed)) return undefined;
    if (known.events.length === 0) return known;
    const redacted = this.active.recent.redactions.since(roomId, known.upTo);
    if (redacted === undefined) return undefined;
    if (redacted.length === 0) return known;
    const events = known.events.filter(({ eventId }) => !redacted.includes(eventId));
    return { ...known, events, counts: countByThread(events) };
  }

  #keep(key: string, known: Known): void {
    const isLarge = known.events.length > LARGE;
    (isLarge ? this.#large : this.#known).set(key, known);
    (isLarge ? this.#known : this.#large).delete(key);
  }

  #budgetOf(sync: UnreadRoom['sync']): Budget {
    let budget = this.#budgets.get(sync);
    if (budget === undefined) this.#budgets.set(sync, (budget = { left: BUDGET }));
    return budget;
  }
}

/** All threads together. */
export function totalUnread(counts: UnreadByThread): UnreadCount {
  let notifications = 0;
  let highlights = 0;
  for (const count of counts.values()) {
    notifications += count.notifications;
    highlights += count.highlights;
  }
  return { notifications, highlights };
}

/** What is unread of what was known and of what was found after it. */
async function taken(
  known: Known | undefined,
  found: FoundUnread,
  readUpTo: () => Promise<ReadUpTo>,
): Promise<Pick<Known, 'events' | 'counts'> & { readonly last: ReadUpTo | undefined }> {
  const earlier = known?.events ?? [];
  if (earlier.length + found.events.length === 0) return { events: [], counts: new Map(), last: undefined };
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

function isUnread({ position, thread }: UnreadEvent, { all, threads }: ReadUpTo): boolean {
  return position > all && position > (threads.get(thread) ?? START);
}

const NO_THREADS: ReadonlySet<EventId> = new Set();

function areSame<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a === b || (a.size === b.size && [...a].every((one) => b.has(one)));
}

/** Whether two looks at what a user has read found the same. */
function areSameReads(a: ReadUpTo | undefined, b: ReadUpTo): boolean {
  if (a === undefined || a.all !== b.all || a.threads.size !== b.threads.size) return false;
  return [...a.threads].every(([thread, position]) => b.threads.get(thread) === position);
}

/** Counts events, on top of what has been counted. */
function countByThread(events: readonly UnreadEvent[], counted?: UnreadByThread): UnreadByThread {
  const counts = new Map(counted);
  for (const { thread, isHighlight } of events) {
    const { notifications = 0, highlights = 0 } = counts.get(thread) ?? {};
    counts.set(thread, { notifications: notifications + 1, highlights: highlights + Number(isHighlight) });
  }
  return counts;
}
