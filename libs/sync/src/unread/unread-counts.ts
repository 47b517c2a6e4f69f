import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { CompiledRules, type UserRules } from '#push/compiled-rules';
import { listFollowedThreads } from '#rooms/queries/list-thread-subscriptions';
import { SERVED_BY } from '#rooms/reading/withhold-expired';
import { ActiveUsers } from '../notifier/active-users.js';
import { areSameCounts, countByThread, type UnreadByThread } from './count-by-thread.js';
import {
  isNothing,
  isUnread,
  type Keeping,
  keepingOf,
  KEPT_FOR_EVER,
  type Known,
  taken,
  type UnreadOfRoom,
  withoutOver,
} from './known-unread.js';
import { OlderRows } from './older-rows.js';
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

/** Up to where it was looked at. */
type UpTo = Pick<Known, 'upTo'>;

const MOST_ROOMS = 300_000;
/** A room of which nothing is unread weighs as much as some events. */
const WEIGHT_OF_ROOM = 4;
/**
 * PERF: a thousand members of a room that nobody reads have a thousand unread events each, none of which are to be looked for again with
 * each message (`npm run bench -- push`). Of an event that many have unread there is one object for all: else as many take 200 MB.
 */
const BOUND = { most: 1_500_000, weigh: ({ events }: Known): number => WEIGHT_OF_ROOM + events.length };
const SHARED_EVENTS = 50_000;
/** Who ignores somebody. */
const MOST_IGNORING = 20_000;
/** The most events that one answer looks at, besides the newest ones of each of its rooms. */
const BUDGET = 20_000;

/**
 * Counts what notifies a user and is unread: client-server API, "Receiving notifications". Computed when somebody asks, from
 * the events behind the user's receipts and own events; what was computed is kept, so that the next time only newer events
 * are looked at. What was redacted since is taken out, and what the room keeps no longer; all of it is counted anew where events were hidden or shown again, or who is shown those has changed, or for how long
 * the room keeps its messages, or where the push rules, the ignored users or, as far as rules ask for them, the threads that the user is subscribed to, what the user is called in
 * the room, its levels or how many are in it have changed.
 */
@Injectable()
export class UnreadCounts {
  readonly #known = new LruCache<string, Known>(MOST_ROOMS, BOUND);
  readonly #events = new LruCache<string, UnreadEvent>(SHARED_EVENTS);
  readonly #ignored = new LruCache<UserId, ReadonlySet<UserId>>(MOST_IGNORING);
  readonly #budgets = new WeakMap<UnreadRoom['sync'], Budget>();
  readonly #older: OlderRows;
  /** What push rules need of rooms. */
  readonly contexts: PushContexts;

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly rules: CompiledRules,
    @Inject(CONFIG) private readonly config: Pick<Config, 'retention'>,
  ) {
    this.contexts = new PushContexts(views);
    this.#older = new OlderRows(views);
  }

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return {
      'unread-counts': this.#known.numbers,
      'unread-events': this.#events.numbers,
      'ignored-users': this.#ignored.numbers,
      'unread-pages': this.#older.numbers,
      'push-contexts': this.contexts.numbers,
    };
  }

  /** The counts for the user of a context; without those threads that have nothing unread. */
  async read(room: UnreadRoom): Promise<UnreadByThread> {
    return (await this.find(room)).counts;
  }

  /** As `read`, with the events. */
  async find(room: UnreadRoom): Promise<UnreadOfRoom> {
    const { roomId, upTo } = room;
    const { userId } = room.sync.requester;
    const rules = await this.rules.of(userId);
    const ignored = this.sameIgnored(userId, room.reader.reader.ignored);
    // Of what was not heard of yet nobody says whether anything happened.
    const current = upTo <= this.active.position ? this.recall(userId, roomId, { rules, ignored }) : undefined;
    if (current !== undefined && current.upTo <= upTo) return current;
    const key = keyOf(userId, roomId);
    const before = this.#known.get(key);
    const followed = await this.#followedBy(userId, roomId, rules, before);
    let asked: Promise<string> | undefined;
    const askedBy = (): Promise<string> => (asked ??= this.contexts.textOf(roomId, userId, upTo, rules));
    const stillTrue = this.#stillTrue(roomId, before, { rules, ignored, followed });
    const isNow = stillTrue?.askedBy === undefined || stillTrue.upTo > upTo || stillTrue.askedBy === (await askedBy());
    const known = await this.#kept(room, isNow ? stillTrue : undefined);
    let read: Promise<ReadUpTo> | undefined;
    const readUpTo = (): Promise<ReadUpTo> => (read ??= readReadUpTo(this.views, roomId, userId));
    if (known !== undefined && known.upTo > upTo) {
      const last = await readUpTo();
      const events = known.events.filter((event) => event.position <= upTo && isUnread(event, last));
      return { events, counts: countByThread(events), anewAt: known.anewAt };
    }
    const by = { ...rules, followed };
    const search = new UnreadSearch(this.views, this.contexts, room, by, readUpTo, this.#older);
    const found = await search.find(known?.upTo, this.#budgetOf(room.sync));
    const { events, counts, last } = await taken(known, this.#shared(found), readUpTo);
    const hasHidden = found.hasHidden || known?.hasHidden === true;
    const isAsBefore = before !== undefined && areSameCounts(before.counts, counts);
    const anewAt = known?.anewAt ?? (isAsBefore ? before.anewAt : upTo);
    const unread = { events, counts, anewAt };
    if (found.isComplete) {
      const keeping = await this.#keepingOf(room, found, known);
      const counted = { rules, followed, ignored, askedBy: found.isAsked ? await askedBy() : known?.askedBy };
      this.#known.set(key, { ...counted, upTo, ...unread, ...keeping, hasHidden, readUpTo: last });
    }
    return unread;
  }

  /**
   * What of a room is unread, where that is known and nothing has happened since that it depends on, as far as it was heard of (`ActiveUsers`).
   * PERF: looks nothing up.
   */
  recall(userId: UserId, roomId: RoomId, by: Pick<Known, 'rules' | 'ignored'>): (UnreadOfRoom & UpTo) | undefined {
    const known = this.#known.get(keyOf(userId, roomId));
    if (known === undefined || known.rules !== by.rules || known.ignored !== by.ignored) return undefined;
    const { rooms, receipts, redactions } = this.active.recent;
    const { upTo } = known;
    if (!this.#isKept(roomId, known)) return undefined;
    if (rooms.hasHappenedSince(roomId, upTo) !== false) return undefined;
    if (receipts.hasHappenedSince(roomId, upTo) !== false) return undefined;
    if (by.rules.asksForThreads && this.active.hasOwnFactsSince(userId, upTo) !== false) return undefined;
    return isNothing(known) || redactions.since(roomId, upTo)?.length === 0 ? known : undefined;
  }

  /** Up to where a room was looked at for a user, if it is known. */
  knownUpTo(userId: UserId, roomId: RoomId): Position | undefined {
    return this.#known.get(keyOf(userId, roomId))?.upTo;
  }

  /** Whom a user ignores: the same set as before, where they are the same. */
  sameIgnored(userId: UserId, ignored: ReadonlySet<UserId>): ReadonlySet<UserId> {
    if (ignored.size === 0) return NOBODY;
    const before = this.#ignored.get(userId);
    if (before !== undefined && areSame(before, ignored)) return before;
    this.#ignored.set(userId, ignored);
    return ignored;
  }

  /** The threads that a user is subscribed to, where a rule asks for them. PERF: looked up again only where the user did something since. */
  async #followedBy(
    userId: UserId,
    roomId: RoomId,
    { asksForThreads }: UserRules,
    before: Known | undefined,
  ): Promise<UnreadRules['followed']> {
    if (!asksForThreads) return undefined;
    const isKnown = before?.followed !== undefined && this.active.hasOwnFactsSince(userId, before.upTo) === false;
    return isKnown ? before.followed : listFollowedThreads(this.views, userId, roomId);
  }

  /** What is known, as far as nothing that it depends on has changed. */
  #stillTrue(
    roomId: RoomId,
    known: Known | undefined,
    { rules, ignored, followed }: Pick<Known, 'rules' | 'ignored' | 'followed'>,
  ): Known | undefined {
    if (known === undefined || known.rules !== rules || known.ignored !== ignored) return undefined;
    if (followed !== undefined && !areSame(known.followed ?? NO_THREADS, followed)) return undefined;
    const { moderated, levels, redactions } = this.active.recent;
    if (moderated.hasHappenedSince(roomId, known.upTo) !== false) return undefined;
    if (known.hasHidden && levels.hasHappenedSince(roomId, known.upTo) !== false) return undefined;
    if (isNothing(known)) return known;
    const redacted = redactions.since(roomId, known.upTo);
    if (redacted === undefined || (redacted.length > 0 && known.hasHidden)) return undefined;
    if (redacted.length === 0) return known;
    const events = known.events.filter(({ eventId }) => !redacted.includes(eventId));
    return { ...known, events, counts: countByThread(events) };
  }

  /** Whether nothing of what is known is over, nor kept for another time by now. PERF: nothing is looked at where no message ever goes. */
  #isKept(roomId: RoomId, { overFrom, upTo }: Known): boolean {
    if (!this.config.retention.isOn) return true;
    return overFrom > SERVED_BY.now() && this.active.recent.moderated.hasHappenedSince(roomId, upTo) === false;
  }

  /** What is known, without what is over: by the clock alone, as all that is served (`withholdExpired`). */
  async #kept({ reader, upTo }: UnreadRoom, known: Known | undefined): Promise<Known | undefined> {
    const now = SERVED_BY.now();
    if (known === undefined || known.overFrom > now) return known;
    return withoutOver(known, (await reader.lifetime()) ?? Infinity, now, upTo);
  }

  /** How long what is known now is kept. PERF: asks only what the search has asked too. */
  async #keepingOf({ reader }: UnreadRoom, { events }: FoundUnread, known: Known | undefined): Promise<Keeping> {
    if (!this.config.retention.isOn) return KEPT_FOR_EVER;
    const fresh = keepingOf(events, known?.lifetime);
    const isAsked = fresh.lifetime !== undefined || fresh.overFrom > SERVED_BY.now();
    const { lifetime, overFrom } = isAsked ? fresh : keepingOf(events, (await reader.lifetime()) ?? Infinity);
    return { lifetime, overFrom: Math.min(overFrom, known?.overFrom ?? Infinity) };
  }

  /** What was found, each event as the object that others have of it. */
  #shared(found: FoundUnread): FoundUnread {
    return found.events.length === 0
      ? found
      : { ...found, events: found.events.map((event) => this.#sharedEvent(event)) };
  }

  #sharedEvent(event: UnreadEvent): UnreadEvent {
    const key = event.isHighlight ? `${event.eventId}!` : event.eventId;
    const other = this.#events.get(key);
    if (other?.thread === event.thread && other.position === event.position) return other;
    this.#events.set(key, event);
    return event;
  }

  #budgetOf(sync: UnreadRoom['sync']): Budget {
    let budget = this.#budgets.get(sync);
    if (budget === undefined) this.#budgets.set(sync, (budget = { left: BUDGET }));
    return budget;
  }
}

function keyOf(userId: UserId, roomId: RoomId): string {
  return `${userId} ${roomId}`;
}

const NO_THREADS: ReadonlySet<EventId> = new Set();
const NOBODY: ReadonlySet<UserId> = new Set();

function areSame<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a === b || (a.size === b.size && [...a].every((one) => b.has(one)));
}
