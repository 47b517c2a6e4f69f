import { Inject, Injectable } from '@nestjs/common';
import type { ReceiptRow } from '#ephemeral/projections/receipts.projector';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { LruCache } from '#kernel/lru-cache';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { compileRules, type RuleEvaluator } from '#protocol/push-rules/evaluate-rules';
import { NO_CHANGES } from '#push/rules/push-rule-changes';
import { rulesOfUser } from '#push/rules/rules-of-user';
import type { PushRulesRow } from '#push/projections/push-rules.projector';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import type { EventPlace } from '#rooms/projections/timeline.projector';
import type { RoomContext } from '../parts/room-context.js';
import { type ContextOfSender, eventOfRow, PushContexts } from './push-context.js';

/** How many events of a room, or of one thread in it, notify a user who has not read them. */
export interface UnreadCount {
  readonly notifications: number;
  readonly highlights: number;
}

/** The counts of a room by thread. `main` is what is in no thread. */
export type UnreadByThread = ReadonlyMap<string, UnreadCount>;

interface UnreadEvent {
  readonly position: Position;
  readonly thread: string;
  readonly isHighlight: boolean;
}

/** What is known of a user's unread events of a room, up to a position. */
interface Known {
  readonly rules: UserRules;
  readonly upTo: Position;
  readonly events: readonly UnreadEvent[];
}

/** A user's push rules, prepared. `text` is the row they were made from. */
interface UserRules {
  readonly text: string | undefined;
  readonly evaluate: RuleEvaluator;
}

/** Up to where a user has read each thread. `all` is the receipt that covers the whole room. */
interface ReadUpTo {
  readonly all: Position;
  readonly threads: ReadonlyMap<string, Position>;
}

const MAIN = 'main';
const CACHED_ROOMS = 5_000;
const CACHED_RULES = 1_000;
/** The most events looked at when nothing is known yet: the counts of a room nobody reads stop here. */
const MAX_SCANNED = 300;
const MAX_RECEIPTS = 500;

/**
 * Counts what notifies a user and is unread: client-server API, "Receiving notifications". Computed when somebody asks, from
 * the events behind the user's receipts and own events; what was computed is kept, so that the next time only newer events
 * are looked at.
 */
@Injectable()
export class UnreadCounts {
  readonly #known = new LruCache<string, Known>(CACHED_ROOMS);
  readonly #rules = new LruCache<UserId, UserRules>(CACHED_RULES);

  readonly #contexts: PushContexts;

  constructor(@Inject(VIEWS) private readonly views: Views) {
    this.#contexts = new PushContexts(views);
  }

  /** The counts for the user of a context; without those threads that have nothing unread. */
  async read(room: RoomContext): Promise<UnreadByThread> {
    const { userId } = room.sync.requester;
    const key = `${userId} ${room.roomId}`;
    const rules = await this.#rulesOf(userId);
    const before = this.#known.get(key);
    const known = before?.rules === rules ? before : undefined;
    const upTo = room.upTo;
    if (known !== undefined && known.upTo > upTo) {
      const read = await this.#readUpTo(room.roomId, userId);
      return countByThread(known.events.filter((event) => event.position <= upTo && isUnread(event, read)));
    }
    let read: ReadUpTo | undefined;
    const reading = async (): Promise<ReadUpTo> => (read ??= await this.#readUpTo(room.roomId, userId));
    const found = await this.#findUnread(room, rules, known?.upTo, reading);
    let events = [...(found.hasOwn ? [] : (known?.events ?? [])), ...found.events];
    if (events.length > 0) {
      const last = await reading();
      events = events.filter((event) => isUnread(event, last)).slice(-MAX_SCANNED);
    }
    this.#known.set(key, { rules, upTo, events });
    return countByThread(events);
  }

  /**
   * Looks backwards for events that notify, as far as what is known, the user's receipt, an event of the user's own, or the
   * limit: "When the user updates their read receipt (either by using the API or by sending an event), notifications prior to
   * and including that event MUST be marked as read". PERF: where the user wrote last, no receipt is read.
   */
  async #findUnread(
    room: RoomContext,
    { evaluate }: UserRules,
    known: Position | undefined,
    reading: () => Promise<ReadUpTo>,
  ): Promise<{ events: UnreadEvent[]; hasOwn: boolean }> {
    const { userId } = room.sync.requester;
    const events: UnreadEvent[] = [];
    let after = known;
    let contextOf: ContextOfSender | undefined;
    for (let i = 0; i < MAX_SCANNED; i++) {
      const row = room.recent.peek(i) ?? (await room.recent.at(i));
      if (row === undefined || (after !== undefined && row.header.p <= after)) break;
      const { header } = row;
      if (header.s === userId) return { events: events.toReversed(), hasOwn: true };
      if (header.b !== undefined || room.reader.ignores(header)) continue;
      after ??= (await reading()).all;
      if (header.p <= after) break;
      contextOf ??= await this.#contexts.read(room.roomId, userId, room.upTo);
      const verdict = evaluate(eventOfRow(room.roomId, row), contextOf(header.s));
      if (!verdict.notify) continue;
      events.push({ position: header.p, thread: threadOf(row), isHighlight: verdict.highlight });
    }
    return { events: events.toReversed(), hasOwn: false };
  }

  async #rulesOf(userId: UserId): Promise<UserRules> {
    const text = await this.views.get('push-rules', [userId]);
    const known = this.#rules.get(userId);
    if (known !== undefined && known.text === text) return known;
    const changes = text === undefined ? NO_CHANGES : (JSON.parse(text) as PushRulesRow).changes;
    const rules: UserRules = { text, evaluate: compileRules(rulesOfUser(userId, changes)) };
    this.#rules.set(userId, rules);
    return rules;
  }

  async #readUpTo(roomId: RoomId, userId: UserId): Promise<ReadUpTo> {
    const rows = await this.views.scan('receipts', { prefix: [roomId, userId], limit: MAX_RECEIPTS });
    const receipts = rows.map(({ key, value }) => ({
      thread: key[3]!,
      eventId: (JSON.parse(value) as ReceiptRow).event_id,
    }));
    const places = await this.views.getMany(
      'events',
      receipts.map(({ eventId }: { eventId: EventId }) => [eventId]),
    );
    let all = START;
    const threads = new Map<string, Position>();
    for (const [i, { thread }] of receipts.entries()) {
      const text = places[i];
      if (text === undefined) continue;
      const [, position] = JSON.parse(text) as EventPlace;
      // Of a public and a private receipt the one further ahead counts.
      if (thread === '') all = position > all ? position : all;
      else if (position > (threads.get(thread) ?? START)) threads.set(thread, position);
    }
    return { all, threads };
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

function isUnread({ position, thread }: UnreadEvent, { all, threads }: ReadUpTo): boolean {
  return position > all && position > (threads.get(thread) ?? START);
}

function countByThread(events: readonly UnreadEvent[]): UnreadByThread {
  const counts = new Map<string, UnreadCount>();
  for (const { thread, isHighlight } of events) {
    const { notifications = 0, highlights = 0 } = counts.get(thread) ?? {};
    counts.set(thread, { notifications: notifications + 1, highlights: highlights + Number(isHighlight) });
  }
  return counts;
}

/** The thread an event is in, by its own relation. PERF: an event that does not name m.thread needs no parse. */
function threadOf({ json }: TimelineRow): string {
  if (!json.includes('"m.thread"')) return MAIN;
  const { content } = JSON.parse(json) as { content?: unknown };
  const relation = isJsonObject(content) ? content['m.relates_to'] : undefined;
  if (!isJsonObject(relation) || relation['rel_type'] !== 'm.thread') return MAIN;
  return typeof relation['event_id'] === 'string' ? relation['event_id'] : MAIN;
}
