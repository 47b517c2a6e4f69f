import { Inject, Injectable } from '@nestjs/common';
import type { StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { HELD_INVITATIONS } from '#rooms/projections/held-invitations.projector';
import { MEMBERSHIP_LOG } from '#rooms/projections/membership-log';
import { PARTIAL_ROOMS } from '#rooms/projections/partial-rooms.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { ROOM_STATE } from '#rooms/projections/room-state.projector';
import { STICKY_EVENTS } from '#rooms/projections/sticky-events.projector';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import { wasFilled } from '#rooms/queries/partial-rooms';
import { refusesInvitations } from '#rooms/reading/reader';
import { findRoomReader, memberSince, type RoomReader } from '#rooms/reading/room-reader';
import { findStanding } from '#rooms/reading/standing';
import { isAway } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { ROOM_EPHEMERALS, type RoomEphemeral } from '../ephemeral/room-ephemeral.js';
import { lookUpLast } from '../notifier/look-up-last.js';
import { readStrippedRoom } from '../parts/invited-rooms.js';
import { JoinedRooms } from '../parts/joined-rooms.js';
import { type Departure, LeftRooms } from '../parts/left-rooms.js';
import { SharedRows } from '../parts/recent-rows.js';
import type { RoomAnswer, RoomContext } from '../parts/room-context.js';
import { isCountedAnew } from './counted-by.js';
import {
  findMemberAt,
  hadKnocked,
  isEndUnheard,
  isStayDue,
  type MembershipOver,
  membershipBefore,
  membershipOver,
} from './membership-over.js';
import type { AccountDataByRoom, SyncContext, SyncPart, SyncStream } from './sync-context.js';

type Section = 'join' | 'invite' | 'knock' | 'leave';

/** A room to answer for, or to look whether there is anything to answer. */
interface Task {
  readonly roomId: RoomId;
  /** The user's membership changed since the client last looked. */
  readonly isMembershipNew: boolean;
  /** Whether anything happened in it; undefined: that has to be looked up first. */
  readonly hasNews: boolean | undefined;
  /** What notifies the user is something else since the client last looked: how much of the room is unread may be, too. */
  readonly isRecounted: boolean;
  /** It is an invitation that was held: the client was told nothing of it yet. */
  readonly isReleased?: true;
}

/** What a room has news by: an event of the past, which no timeline shows, may be sticky. */
const HAPPENING = [TIMELINE, STICKY_EVENTS];

const NO_ROOMS = '{"join":{},"invite":{},"leave":{}}';

/** The user's rooms: `rooms`. Which of them have news is decided in memory. */
@Injectable()
export class RoomsStream implements SyncStream {
  static readonly covers = [
    HELD_INVITATIONS.name,
    TIMELINE.name,
    ROOM_STATE.name,
    MEMBERSHIP_LOG.name,
    ROOMS.name,
    PARTIAL_ROOMS.name,
  ];
  readonly key = 'rooms';

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    @Inject(ROOM_EPHEMERALS) private readonly ephemerals: readonly RoomEphemeral[],
    private readonly joined: JoinedRooms,
    private readonly left: LeftRooms,
    private readonly rows: SharedRows,
  ) {}

  async read(context: SyncContext): Promise<SyncPart> {
    const { rooms: changed } = await context.accountData();
    const tasks = this.#selectRooms(context, changed, await isCountedAnew(context));
    tasks.push(...(await this.#released(context, tasks)));
    const nothing = context.allSections ? NO_ROOMS : undefined;
    if (tasks.length === 0) return { json: nothing, isNews: false };
    const sections: Record<Section, string[]> = { join: [], invite: [], knock: [], leave: [] };
    let isNews = false;
    for (const task of tasks) {
      if (context.turn.isOver()) await context.turn.pass();
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
  #selectRooms(context: SyncContext, changed: AccountDataByRoom['rooms'], isRecounted: boolean): Task[] {
    const { since, isAnew, fullState, filter, rooms } = context;
    const tasks: Task[] = [];
    for (const [roomId, known] of rooms) {
      if (!filter.includesRoom(roomId)) continue;
      const isIn = known.membership === 'join';
      if (since === undefined) {
        // Who is told anew may believe to be in a room.
        if (!isAway(known.membership) || (filter.includeLeave && !known.forgotten) || isAnew)
          tasks.push({ roomId, isMembershipNew: true, hasNews: true, isRecounted });
        continue;
      }
      const isMembershipNew = known.position > since.position;
      if (isMembershipNew || (isIn && (fullState || changed.has(roomId)))) {
        tasks.push({ roomId, isMembershipNew, hasNews: true, isRecounted });
        continue;
      }
      if (!isIn) continue;
      const hasNews = this.#hasNews(roomId, since, context.until);
      if (hasNews !== false || isRecounted) tasks.push({ roomId, isMembershipNew, hasNews, isRecounted });
    }
    return tasks;
  }

  /** Rooms of invitations that were held, and are shown again since the client last looked. */
  async #released(
    { since, until, rooms, filter, hasOwnFacts, reader }: SyncContext,
    tasks: readonly Task[],
  ): Promise<Task[]> {
    if (since === undefined || !hasOwnFacts) return [];
    const released: Task[] = [];
    for (const [roomId, { held, shown }] of (await reader()).held ?? []) {
      if (shown === undefined || held.includes(shown.sender)) continue;
      const isDue = shown.pos > since.position && shown.pos <= until.position && filter.includesRoom(roomId);
      if (!isDue || rooms.get(roomId)?.membership !== 'invite' || tasks.some((task) => task.roomId === roomId))
        continue;
      released.push({ roomId, isMembershipNew: true, hasNews: true, isRecounted: false, isReleased: true });
    }
    return released;
  }

  async #answer(context: SyncContext, task: Task): Promise<(RoomAnswer & { section: Section }) | undefined> {
    const { roomId, isMembershipNew, isRecounted } = task;
    const hasNews = task.hasNews ?? (await this.#lookUpNews(context, roomId));
    if (!hasNews && !isRecounted) return undefined;
    if (!isMembershipNew) {
      const room = await this.#contextOf(context, roomId, undefined);
      if (!hasNews && !(await this.joined.isCountedOtherwise(room))) return undefined;
      return { section: 'join', ...(await this.#joinedRoom(room, isRecounted)) };
    }

    const { until, rooms, isAnew } = context;
    const since = task.isReleased === true ? undefined : context.since;
    const room = await findRoomReader(this.views, roomId, await context.reader());
    const over = await membershipOver(room, since?.position, until.position);
    // What changed may lie after the end of this answer.
    if (over === undefined) return undefined;
    const { last } = over;
    const known = rooms.get(roomId);
    if (known?.forgotten === true && !isEndUnheard({ last, wasThere: isAnew || over.wasThere })) return undefined;
    if (last.membership === 'join')
      return { section: 'join', ...(await this.#joinedRoom(await this.#contextOf(context, roomId, { room, over }))) };
    // The event may have been replaced by another that says the same: by another invitation, a ban with another reason.
    const changed = known?.position ?? START;
    const at = changed <= until.position ? changed : last.since;
    if (at <= (since?.position ?? START)) return undefined;
    const isDue = since !== undefined && isStayDue(room, over) && !(await heardNoInvitation(room, since.position));
    const whole = isDue ? await membershipOver(room, undefined, at) : undefined;
    return this.#away(context, { room, over: whole ?? over, at });
  }

  async #away(context: SyncContext, departure: Departure): Promise<(RoomAnswer & { section: Section }) | undefined> {
    const { room, over, at } = departure;
    const { membership } = over.last;
    if (membership !== 'invite' && membership !== 'knock') {
      const data = (await context.accountData()).rooms.get(room.roomId) ?? [];
      return { section: 'leave', ...(await this.left.read(context, departure, data)) };
    }
    const { sender, events } = await readStrippedRoom(room, at);
    if (membership === 'knock' || sender === undefined || !refusesInvitations(room.reader, room.roomId, sender))
      return { section: membership, json: `{"${membership}_state":{"events":[${events.join()}]}}`, isNews: true };
    // The client may believe to be in the room, or invited by somebody else, or want to hear of the rooms that were left.
    const { since, isAnew, filter } = context;
    const before = await membershipBefore(room, over, since?.position);
    if (before === undefined) return undefined;
    const { membership: was } = before.last;
    const isWanted = since !== undefined || isAnew || (isAway(was) ? filter.includeLeave : was !== 'join');
    // Who stands before it as one who never was there has forgotten it.
    const isForgotten = room.now === undefined && !isEndUnheard({ ...before, wasThere: isAnew || before.wasThere });
    return isWanted && !isForgotten ? this.#away(context, { room, over: before, at: before.last.since }) : undefined;
  }

  /** Whether anything happened in a room, by what is known in memory. */
  #hasNews(roomId: RoomId, since: StreamMoment, until: StreamMoment): boolean | undefined {
    let known = this.active.recent.rooms.hasHappenedSince(roomId, since.position);
    for (const ephemeral of this.ephemerals) {
      if (known === true) return true;
      const hasNews = ephemeral.hasNews(roomId, since, until);
      if (hasNews !== false) known = hasNews;
    }
    return known;
  }

  /** Looks up what is not known in memory, all of it, so that it is the next time. */
  async #lookUpNews({ since, until }: SyncContext, roomId: RoomId): Promise<boolean> {
    if (since === undefined) return true;
    let hasNews = await lookUpLast(this.views, HAPPENING, this.active.recent.rooms, roomId, since.position);
    for (const ephemeral of this.ephemerals) hasNews = (await ephemeral.lookUp(roomId, since)) || hasNews;
    return hasNews && until.position > since.position;
  }

  async #joinedRoom(room: RoomContext, isRecounted = false): Promise<RoomAnswer> {
    const { rooms } = await room.sync.accountData();
    return this.joined.read(room, rooms.get(room.roomId) ?? [], isRecounted);
  }

  async #contextOf(
    sync: SyncContext,
    roomId: RoomId,
    change: { readonly room: RoomReader; readonly over: MembershipOver } | undefined,
  ): Promise<RoomContext> {
    const upTo = sync.until.position;
    const isNew = change?.over.isNew === true;
    const cameBack = change?.over.cameBack === true;
    const after = isNew ? undefined : sync.since?.position;
    const isFilled = after !== undefined && (await wasFilled(this.views, roomId, after, upTo));
    return {
      sync,
      roomId,
      reader: change?.room ?? memberSince(this.views, roomId, await sync.reader(), after ?? START),
      isNew,
      after,
      upTo,
      isFull: isNew || cameBack || isFilled || sync.fullState,
      recent: this.rows.open(roomId, upTo, sync.filter.timelineLimit + 1, after),
    };
  }
}

/** Whether a client was told nothing of the invitation that there was at a place, for its user ignores who made it, and of no knock before it. */
async function heardNoInvitation(room: RoomReader, at: Position): Promise<boolean> {
  const { views, roomId, reader } = room;
  const standing = await findStanding(views, roomId, reader.userId, at);
  const row = standing && (await findMemberAt(room, standing, at));
  return row !== undefined && room.ignores(row.header) && !(await hadKnocked(room, at));
}
