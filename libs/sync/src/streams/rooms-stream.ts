import { Inject, Injectable } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import type { RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { findRoomReader, memberSince, type RoomReader } from '#rooms/reading/room-reader';
import { ActiveUsers } from '../notifier/active-users.js';
import type { LastTouched } from '../notifier/last-touched.js';
import { readStrippedRoom } from '../parts/invited-rooms.js';
import { JoinedRooms } from '../parts/joined-rooms.js';
import { LeftRooms } from '../parts/left-rooms.js';
import { SharedRows } from '../parts/recent-rows.js';
import type { RoomAnswer, RoomContext } from '../parts/room-context.js';
import { type MembershipOver, membershipOver } from './membership-over.js';
import type { AccountDataByRoom, SyncContext, SyncPart, SyncStream } from './sync-context.js';

type Section = 'join' | 'invite' | 'knock' | 'leave';

/** A room to answer for, or to look whether there is anything to answer. */
interface Task {
  readonly roomId: RoomId;
  /** The user's membership changed since the client last looked. */
  readonly isMembershipNew: boolean;
  /** Whether anything happened has to be looked up first. */
  readonly isUnsure: boolean;
}

const NO_ROOMS = '{"join":{},"invite":{},"leave":{}}';

/** The user's rooms: `rooms`. Which of them have news is decided in memory. */
@Injectable()
export class RoomsStream implements SyncStream {
  readonly key = 'rooms';

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly typing: Typing,
    private readonly joined: JoinedRooms,
    private readonly left: LeftRooms,
    private readonly rows: SharedRows,
  ) {}

  async read(context: SyncContext): Promise<SyncPart> {
    const tasks = this.#selectRooms(context, (await context.accountData()).rooms);
    const nothing = context.allSections ? NO_ROOMS : undefined;
    if (tasks.length === 0) return { json: nothing, isNews: false };
    const sections: Record<Section, string[]> = { join: [], invite: [], knock: [], leave: [] };
    let isNews = false;
    for (const task of tasks) {
      await context.pause();
      const answered = await this.#answer(context, task);
      if (answered === undefined || !answered.isNews) continue;
      isNews = true;
      sections[answered.section].push(`${JSON.stringify(task.roomId)}:${answered.json}`);
    }
    if (!isNews) return { json: nothing, isNews };
    const texts = Object.entries(sections).map(([section, rooms]) => `"${section}":{${rooms.join()}}`);
    return { json: `{${texts.join()}}`, isNews };
  }

  /** PERF: runs over all rooms of the user at each look, so nothing here reads a view or makes an object in vain. */
  #selectRooms(context: SyncContext, changed: AccountDataByRoom['rooms']): Task[] {
    const { since, isAnew, fullState, filter, rooms } = context;
    const tasks: Task[] = [];
    for (const [roomId, known] of rooms) {
      if (known.forgotten || !filter.includesRoom(roomId)) continue;
      const isIn = known.membership === 'join';
      const isAway = known.membership === 'leave' || known.membership === 'ban';
      if (since === undefined) {
        // Who is told anew may believe to be in a room.
        if (!isAway || filter.includeLeave || isAnew) tasks.push({ roomId, isMembershipNew: true, isUnsure: false });
        continue;
      }
      const isMembershipNew = known.position > since.position;
      if (isMembershipNew || (isIn && (fullState || changed.has(roomId)))) {
        tasks.push({ roomId, isMembershipNew, isUnsure: false });
        continue;
      }
      if (!isIn) continue;
      const events = this.active.rooms.hasHappenedSince(roomId, since.position);
      const receipts = this.active.receipts.hasHappenedSince(roomId, since.position);
      if (events === true || receipts === true || this.typing.hasNews(roomId, since.typing, context.until.typing)) {
        tasks.push({ roomId, isMembershipNew, isUnsure: false });
      } else if (events === undefined || receipts === undefined) {
        tasks.push({ roomId, isMembershipNew, isUnsure: true });
      }
    }
    return tasks;
  }

  async #answer(context: SyncContext, task: Task): Promise<(RoomAnswer & { section: Section }) | undefined> {
    const { roomId, isMembershipNew, isUnsure } = task;
    if (isUnsure && !(await this.#hasNews(context, roomId))) return undefined;
    if (!isMembershipNew) return { section: 'join', ...(await this.#joinedRoom(context, roomId, undefined)) };

    const { since, until, rooms } = context;
    const room = await findRoomReader(this.views, roomId, await context.reader());
    const over = await membershipOver(room, since?.position, until.position);
    // What changed may lie after the end of this answer.
    if (over === undefined) return undefined;
    const { last } = over;
    if (last.membership === 'join')
      return { section: 'join', ...(await this.#joinedRoom(context, roomId, { room, over })) };
    // The event may have been replaced by another that says the same: by another invitation, a ban with another reason.
    const known = rooms.get(roomId)?.position ?? START;
    const at = known <= until.position ? known : last.since;
    if (at <= (since?.position ?? START)) return undefined;
    if (last.membership === 'invite' || last.membership === 'knock') {
      return this.#strippedRoom(room, last.membership, at);
    }
    const data = (await context.accountData()).rooms.get(roomId) ?? [];
    return { section: 'leave', ...(await this.left.read(context, { room, over, at }, data)) };
  }

  /** Looks up when something last happened in a room of which nothing is remembered, and remembers it. */
  async #hasNews({ since, until }: SyncContext, roomId: RoomId): Promise<boolean> {
    const after = since?.position ?? START;
    const learn = async (collection: string, touched: LastTouched): Promise<boolean> => {
      const known = touched.hasHappenedSince(roomId, after);
      if (known !== undefined) return known;
      const [last] = await this.views.scan(collection, { prefix: [roomId], reverse: true, limit: 1 });
      const position = (last?.key[1] ?? START) as Position;
      touched.learn(roomId, position);
      return position > after;
    };
    const events = await learn('timeline', this.active.rooms);
    const receipts = await learn('receipts-log', this.active.receipts);
    return (events || receipts) && until.position > after;
  }

  async #joinedRoom(
    sync: SyncContext,
    roomId: RoomId,
    change: { readonly room: RoomReader; readonly over: MembershipOver } | undefined,
  ): Promise<RoomAnswer> {
    const upTo = sync.until.position;
    const isNew = change?.over.isNew === true;
    const cameBack = change?.over.cameBack === true;
    const after = isNew ? undefined : sync.since?.position;
    const context: RoomContext = {
      sync,
      roomId,
      reader: change?.room ?? memberSince(this.views, roomId, await sync.reader(), after ?? START),
      isNew,
      after,
      upTo,
      isFull: isNew || cameBack || sync.fullState,
      recent: this.rows.open(roomId, upTo, sync.filter.timelineLimit + 1, after),
    };
    return this.joined.read(context, (await sync.accountData()).rooms.get(roomId) ?? []);
  }

  async #strippedRoom(
    room: RoomReader,
    section: 'invite' | 'knock',
    at: Position,
  ): Promise<(RoomAnswer & { section: Section }) | undefined> {
    const { sender, events } = await readStrippedRoom(room, at);
    if (section === 'invite' && sender !== undefined && room.reader.ignored.has(sender)) return undefined;
    return { section, json: `{"${section}_state":{"events":[${events.join()}]}}`, isNews: true };
  }
}
