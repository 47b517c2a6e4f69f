import type { EventId } from '#kernel/ids';
import { laterOf, type Position, START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import type { PushContext } from '#protocol/push-rules/push-conditions';
import type { UserEvaluator } from '#push/compiled-rules';
import { THREAD_EVENTS, THREAD_SENDERS, THREADS_LOG } from '#rooms/projections/relations.projector';
import { THREAD_ASIDES } from '#rooms/projections/thread-asides';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type RowHeader, type TimelineRow } from '#rooms/projections/timeline-row';
import { findRowsById } from '#rooms/reading/event-rows';
import { findThread } from '#rooms/queries/find-thread';
import { findStanding } from '#rooms/reading/standing';
import { isWithheld } from '#rooms/reading/withhold';
import type { RoomContext } from '../parts/room-context.js';
import type { OlderRows } from './older-rows.js';
import { type ContextOfSender, eventOfRow, mayNotify, type PushContexts, withThread } from './push-context.js';
import { advance, MAIN, type ReadUpTo } from './read-up-to.js';

/** An event that notifies a user. */
export interface UnreadEvent extends Pick<RowHeader, 'stateKey' | 'sentAt' | 'arrivedAt'> {
  readonly eventId: EventId;
  readonly position: Position;
  readonly thread: string;
  readonly isHighlight: boolean;
}

/** By what events notify a user. */
export interface UnreadRules {
  readonly evaluate: UserEvaluator;
  /** Whether a rule looks at what the user is called in the room. */
  readonly asksForNames: boolean;
  /** The threads that the user is subscribed to; undefined: no rule asks for them. */
  readonly followed: ReadonlySet<EventId> | undefined;
}

/** A user before a room of theirs, and up to where it is looked at. `RoomContext` has all of it. */
export interface UnreadRoom extends Pick<RoomContext, 'roomId' | 'reader' | 'upTo' | 'recent'> {
  /** What is looked at of several rooms for one answer shares it. */
  readonly sync: { readonly requester: Pick<Requester, 'userId'>; readonly turn: Turn };
}

/** What was found of a stretch of a room. */
export interface FoundUnread {
  /** Those that notify the user and are not read by an own event of the stretch, in order. */
  readonly events: readonly UnreadEvent[];
  /** Where the user wrote last, by thread: what was before it is read. */
  readonly own: ReadonlyMap<string, Position>;
  /** What was before the stretch is all read: it begins where the user joined. */
  readonly beginsWithJoin: boolean;
  /** False where it was too much to look at now. */
  readonly isComplete: boolean;
  /** Whether some of it is hidden, from the user or but from others, and notifies them where it is not. */
  readonly hasHidden: boolean;
  /** Whether the rules were asked of any of it. */
  readonly isAsked: boolean;
}

/** How many events may be looked at: at most so many of a room, and no more than are left for the answer. */
export interface Budget {
  left: number;
}

/** So many newest events of a room are looked at whatever else is to be done. */
const ALWAYS = 300;
/** What is unread further back is not counted. */
const MAX_LOOKED_AT = 10_000;
const MAX_THREADS = 200;
const MAX_ASIDES = 2_000;

/**
 * Looks for what notifies a user in one room, backwards from the end of the answer: up to `known` (exclusive), or else to
 * what the user has read. "When the user updates their read receipt (either by using the API or by sending an event),
 * notifications prior to and including that event MUST be marked as read", those of its thread.
 */
export class UnreadSearch {
  readonly #events: UnreadEvent[] = [];
  readonly #own = new Map<string, Position>();
  #contextOf: ContextOfSender | undefined;
  #read: Promise<ReadUpTo> | undefined;
  #hasHidden = false;

  constructor(
    private readonly views: Views,
    private readonly contexts: PushContexts,
    private readonly room: UnreadRoom,
    private readonly rules: UnreadRules,
    private readonly readUpTo: () => Promise<ReadUpTo>,
    private readonly older: OlderRows,
  ) {}

  async find(known: Position | undefined, budget: Budget): Promise<FoundUnread> {
    const { requester, turn } = this.room.sync;
    let looked = 0;
    for await (const row of this.#backwards()) {
      if (turn.isOver()) await turn.pass();
      const { position } = row.header;
      if (known !== undefined && position <= known) break;
      if (looked >= MAX_LOOKED_AT) break;
      if (looked >= ALWAYS && budget.left-- <= 0) return this.#found({ isComplete: false });
      looked++;
      if (row.header.sender === requester.userId) {
        if (await this.#isJoin(row)) return this.#found({ beginsWithJoin: true });
        advance(this.#own, await this.#threadOf(row), position);
      } else if (!(await this.#isRead(row, known))) await this.#consider(row);
      if (known === undefined && (await this.#isMainRead(position))) {
        await this.#findInThreads(position);
        break;
      }
    }
    return this.#found({});
  }

  #found(how: { readonly beginsWithJoin?: boolean; readonly isComplete?: boolean }): FoundUnread {
    const events = this.#events.toSorted((a, b) => (a.position < b.position ? -1 : 1));
    const [hasHidden, isAsked] = [this.#hasHidden, this.#contextOf !== undefined];
    return { events, own: this.#own, beginsWithJoin: false, isComplete: true, hasHidden, isAsked, ...how };
  }

  async *#backwards(): AsyncGenerator<TimelineRow, void> {
    const { recent, roomId } = this.room;
    let last: TimelineRow | undefined;
    for (let i = 0; i < ALWAYS; i++) {
      const row = recent.peek(i) ?? (await recent.at(i));
      if (row === undefined) return;
      yield (last = row);
    }
    yield* this.older.backwards(roomId, last!.header.position);
  }

  /** PERF: receipts are read only where there is something that they could have read. */
  async #isRead(row: TimelineRow, known: Position | undefined): Promise<boolean> {
    if (known !== undefined || !mayNotify(row, this.room.reader.reader)) return false;
    const { all } = await this.#reads();
    return row.header.position <= all;
  }

  /** Whether all of the main timeline up to a place is read. */
  async #isMainRead(position: Position): Promise<boolean> {
    if (position <= (this.#own.get(MAIN) ?? START)) return true;
    if (this.#read === undefined) return false;
    const { all, threads } = await this.#read;
    return position <= all || position <= (threads.get(MAIN) ?? START);
  }

  #reads(): Promise<ReadUpTo> {
    return (this.#read ??= this.readUpTo());
  }

  async #threadOf(row: TimelineRow): Promise<string> {
    return (await findThread(this.room.reader, row)) ?? MAIN;
  }

  /** Whether the user came into the room by this event of theirs: nothing before it was ever for them. */
  async #isJoin({ header }: TimelineRow): Promise<boolean> {
    if (header.membership !== 'join') return false;
    if (header.replaces === undefined) return true;
    const [before] = await findRowsById(this.views, this.room.roomId, [header.replaces]);
    return before?.header.membership !== 'join';
  }

  async #consider(row: TimelineRow, thread?: string): Promise<void> {
    const { header } = row;
    const { roomId, upTo, sync } = this.room;
    if (!mayNotify(row, this.room.reader.reader)) return;
    this.#contextOf ??= await this.contexts.read(roomId, sync.requester.userId, upTo, this.rules.asksForNames);
    const context = await this.#withThread(this.#contextOf(header.sender), row, thread);
    const verdict = this.rules.evaluate(eventOfRow(roomId, row), context);
    const { notify, highlight } = verdict instanceof Promise ? await verdict : verdict;
    if (!notify) return;
    // Not what came while they were out, though extremities that met took them in again, nor what nobody is shown yet.
    if (!(await this.room.reader.over([row])).isShown(header)) return;
    if (row.header.hiddenBy !== undefined) this.#hasHidden = true;
    if (await isWithheld(this.room.reader, row)) return;
    const { eventId, position, stateKey, sentAt, arrivedAt } = header;
    const found = { eventId, position, isHighlight: highlight, stateKey, sentAt, arrivedAt };
    const event = { ...found, thread: thread ?? (await this.#threadOf(row)) };
    if (event.position > (this.#own.get(event.thread) ?? START)) this.#events.push(event);
  }

  async #withThread(context: PushContext, row: TimelineRow, thread: string | undefined): Promise<PushContext> {
    const { followed } = this.rules;
    if (followed === undefined) return context;
    const root = thread ?? (await this.#threadOf(row));
    return withThread(context, root === MAIN ? undefined : root, followed);
  }

  /**
   * What is unread in threads before a place up to which the main timeline is read. PERF: found by where threads end, so that
   * nobody has to look through all that was read.
   */
  async #findInThreads(before: Position): Promise<void> {
    const { views, room } = this;
    const { roomId } = room;
    const [ends, anyAside] = await Promise.all([
      THREADS_LOG.scan(views, { prefix: [roomId], reverse: true, limit: MAX_THREADS }),
      THREAD_ASIDES.scan(views, { prefix: [roomId], reverse: true, limit: 1 }),
    ]);
    if (ends.length + anyAside.length === 0) return;
    const { all } = await this.#reads();
    const floor = await this.#joinedAfter(all);
    const asides = await this.#asides(floor, before);
    let left = MAX_LOOKED_AT;
    for (const { key, value: root } of ends) {
      if (key[1] <= floor || left <= 0) break;
      const from = await this.#threadReadUpTo(root, floor);
      if (key[1] <= from) continue;
      const range = { prefix: [roomId, root], after: [roomId, root, from], before: [roomId, root, before] } as const;
      const children = await THREAD_EVENTS.scan(views, { ...range, reverse: true, limit: left });
      left -= children.length;
      await this.#considerAt(
        children.map(({ key: child }) => child[2]),
        root,
      );
    }
    for (const [root, positions] of asides) {
      const from = await this.#threadReadUpTo(root, floor);
      // Of what the user may not see they do not know that it is in the thread: this finds where it is for them.
      await this.#considerAt(positions.filter((position) => position > from));
    }
  }

  /** Where others wrote what is in threads by way of what it relates to, by thread; and notes up to where the user has read them by such. */
  async #asides(floor: Position, before: Position): Promise<ReadonlyMap<EventId, Position[]>> {
    const { roomId, sync } = this.room;
    const range = { prefix: [roomId], after: [roomId, floor], before: [roomId, before] } as const;
    const others = new Map<EventId, Position[]>();
    for (const { key, value } of await THREAD_ASIDES.scan(this.views, { ...range, reverse: true, limit: MAX_ASIDES })) {
      const [root, sender] = value;
      if (sender === sync.requester.userId) advance(this.#own, root, key[1]);
      else if (others.has(root)) others.get(root)!.push(key[1]);
      else others.set(root, [key[1]]);
    }
    return others;
  }

  async #considerAt(positions: readonly Position[], root?: EventId): Promise<void> {
    const { roomId, sync } = this.room;
    const keys = positions.map((position) => [roomId, position] as const);
    for (const text of await TIMELINE.getMany(this.views, keys)) {
      if (sync.turn.isOver()) await sync.turn.pass();
      const row = text === undefined ? undefined : parseRow(text);
      if (row !== undefined) await this.#consider(row, root);
    }
  }

  async #threadReadUpTo(root: EventId, floor: Position): Promise<Position> {
    const { threads } = await this.#reads();
    const posted = await THREAD_SENDERS.get(this.views, [this.room.roomId, root, this.room.sync.requester.userId]);
    advance(this.#own, root, posted?.last ?? START);
    return [floor, threads.get(root) ?? START, this.#own.get(root) ?? START].reduce(laterOf);
  }

  /** The later of a place and of where the user came into the room. */
  async #joinedAfter(position: Position): Promise<Position> {
    const { roomId, sync, upTo } = this.room;
    const standing = await findStanding(this.views, roomId, sync.requester.userId, upTo);
    return laterOf(position, standing?.since ?? START);
  }
}
