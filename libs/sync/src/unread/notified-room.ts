import type { EventId, RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import type { PushVerdict } from '#protocol/push-rules/evaluate-rules';
import type { PushContext } from '#protocol/push-rules/push-conditions';
import type { UserRules } from '#push/compiled-rules';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findThread } from '#rooms/queries/find-thread';
import { listFollowedThreads } from '#rooms/queries/list-thread-subscriptions';
import type { Reader } from '#rooms/reading/reader';
import { findRoomReader, type RoomReader } from '#rooms/reading/room-reader';
import { isWithheld } from '#rooms/reading/withhold';
import { type ContextOfSender, eventOfRow, mayNotify, type PushContexts, withThread } from './push-context.js';
import { advance, MAIN, type ReadUpTo, readReadUpTo } from './read-up-to.js';

/** By what events notify a user. */
export interface NotifiedBy {
  readonly views: Views;
  readonly reader: Reader;
  readonly rules: UserRules;
  readonly contexts: PushContexts;
  /** The position that is read up to. */
  readonly moment: Position;
}

/** An event that notifies a user. */
interface Notified {
  readonly room: RoomReader;
  readonly row: TimelineRow;
  readonly verdict: PushVerdict;
}

/** Own events further back than so many of a room read nothing that is asked for: whoever wrote since has mostly sent a receipt. */
const OWN_LOOKED_AT = 500;

/** A room as one looks at single events of it that notified a user, or may: by the same rules as what is unread is counted (`UnreadSearch`). */
export class NotifiedRoom {
  #room: Promise<RoomReader> | undefined;
  #contextOf: Promise<ContextOfSender> | undefined;
  #followed: Promise<ReadonlySet<EventId>> | undefined;
  #read: Promise<ReadUpTo> | undefined;
  #own: Promise<ReadonlyMap<string, Position>> | undefined;

  constructor(
    private readonly by: NotifiedBy,
    private readonly roomId: RoomId,
  ) {}

  /** What an event of the room is to the user; undefined where it does not notify them. */
  async find(row: TimelineRow): Promise<Notified | undefined> {
    if (!mayNotify(row, this.by.reader)) return undefined;
    const context = await this.contextOf(row);
    const verdict = await this.by.rules.evaluate(eventOfRow(this.roomId, row), context);
    const room = await this.#over(row);
    if (!verdict.notify || !isFor(room, row) || (await isWithheld(room, row))) return undefined;
    return { room, row, verdict };
  }

  /**
   * What the user's rules have to know of an event besides it: what is pushed is decided by the same. PERF: what is the user's own is looked
   * up as far as their rules ask for it.
   */
  async contextOf(row: TimelineRow): Promise<PushContext> {
    const { reader, rules, contexts, moment } = this.by;
    this.#contextOf ??= contexts.read(this.roomId, reader.userId, moment, rules.asksForNames);
    const context = (await this.#contextOf)(row.header.sender);
    const root = rules.asksForThreads ? await findThread(await this.#over(row), row) : undefined;
    return root === undefined ? context : withThread(context, root, await this.#follows());
  }

  /** Whether an event would be unread, if it notified the user: for what is counted nowhere. What is counted `Badge` knows. */
  async isUnread(row: TimelineRow): Promise<boolean> {
    if (!mayNotify(row, this.by.reader)) return false;
    const room = await this.#over(row);
    if (!isFor(room, row) || (await isWithheld(room, row))) return false;
    return !(await this.#isRead(room, row.header.position, (await findThread(room, row)) ?? MAIN));
  }

  async #over(row: TimelineRow): Promise<RoomReader> {
    const { views, reader } = this.by;
    return (await (this.#room ??= findRoomReader(views, this.roomId, reader))).over([row]);
  }

  #follows(): Promise<ReadonlySet<EventId>> {
    return (this.#followed ??= listFollowedThreads(this.by.views, this.by.reader.userId, this.roomId));
  }

  /** What was there before they came, for the last time, is read, as the counts have it. */
  async #isRead({ isIn, now }: RoomReader, position: Position, thread: string): Promise<boolean> {
    const { views, reader } = this.by;
    if (isIn && now !== undefined && position < now.since) return true;
    const { all, threads } = await (this.#read ??= readReadUpTo(views, this.roomId, reader.userId));
    if (position <= all || position <= (threads.get(thread) ?? START)) return true;
    const own = await (this.#own ??= this.#findOwn());
    return position <= (own.get(thread) ?? START);
  }

  /** Where the user wrote last in the room, by thread: what was before it is read. */
  async #findOwn(): Promise<ReadonlyMap<string, Position>> {
    const { roomId } = this;
    const { views, reader } = this.by;
    const own = new Map<string, Position>();
    const rows = await TIMELINE.scan(views, { prefix: [roomId], reverse: true, limit: OWN_LOOKED_AT });
    const room = await this.#room!;
    for (const { value } of rows) {
      const row = parseRow(value);
      if (row.header.sender === reader.userId) advance(own, (await findThread(room, row)) ?? MAIN, row.header.position);
    }
    return own;
  }
}

/** What was there before they came, or while they were out, was never for them; but for an invitation, which is theirs. */
function isFor(room: RoomReader, { header }: TimelineRow): boolean {
  if (header.membership === 'invite' && room.isAbout(header.stateKey)) return !room.ignores(header);
  return room.isShown(header) && room.membershipAt(header) === 'join';
}
