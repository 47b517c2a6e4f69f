import type { EventId, RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import type { PushVerdict } from '#protocol/push-rules/evaluate-rules';
import type { UserRules } from '#push/compiled-rules';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';
import { findThread } from '#rooms/queries/find-thread';
import { listFollowedThreads } from '#rooms/queries/list-thread-subscriptions';
import type { Reader } from '#rooms/reading/reader';
import { findRoomReader, type RoomReader } from '#rooms/reading/room-reader';
import { type ContextOfSender, eventOfRow, type PushContexts } from './push-context.js';
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
  readonly isRead: boolean;
}

/** Own events further back than so many of a room read nothing that is asked for: whoever wrote since has mostly sent a receipt. */
const OWN_LOOKED_AT = 500;

/** A room as one looks back at what of it notified a user: by the same rules as what is unread is counted (`UnreadSearch`). */
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
    const { by, roomId } = this;
    const { header } = row;
    const { reader, rules } = by;
    if (header.sender === reader.userId || header.redactedBy !== undefined || reader.ignored.has(header.sender))
      return undefined;
    const contextOf = await (this.#contextOf ??= by.contexts.read(
      roomId,
      reader.userId,
      by.moment,
      rules.asksForNames,
    ));
    const room = await (await (this.#room ??= findRoomReader(by.views, roomId, reader))).over([row]);
    const thread = (await findThread(room, row)) ?? MAIN;
    const context = contextOf(header.sender);
    const isSubscribed = thread === MAIN ? undefined : (await this.#follows()).has(thread as EventId);
    const verdict = await rules.evaluate(eventOfRow(roomId, row), { ...context, isSubscribed });
    // What was there before they came, or while they were out, was never for them.
    if (!verdict.notify || !room.isShown(header) || room.membershipAt(header) !== 'join') return undefined;
    return { room, row, verdict, isRead: await this.#isRead(header.position, thread) };
  }

  #follows(): Promise<ReadonlySet<EventId>> {
    return (this.#followed ??= listFollowedThreads(this.by.views, this.by.reader.userId, this.roomId));
  }

  async #isRead(position: Position, thread: string): Promise<boolean> {
    const { views, reader } = this.by;
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
