import { Inject, Injectable } from '@nestjs/common';
import { compileSyncFilter, type SyncFilter } from '../filters/sync-filter.js';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { TimelineRow } from '#rooms/projections/timeline-row';
import { wasFilled } from '#rooms/queries/partial-rooms';
import { listStateChanges } from '#rooms/queries/past-state';
import { refusesInvitations } from '#rooms/reading/reader';
import { findRoomReader, memberSince, type RoomReader } from '#rooms/reading/room-reader';
import { isAway } from '../notifier/active-user.js';
import { readStrippedRoom } from '../parts/invited-rooms.js';
import { type Departure, LeftRooms } from '../parts/left-rooms.js';
import { RecentRows, SharedRows } from '../parts/recent-rows.js';
import { renderState, renderTimeline } from '../parts/render-rows.js';
import type { RoomContext } from '../parts/room-context.js';
import { prevBatchOf, showsRowOrState } from '../parts/room-sections.js';
import { readStatePart } from '../parts/state-part.js';
import { readWindow, type TimelineWindow } from '../parts/timeline-window.js';
import {
  hadKnocked,
  isEndUnheard,
  isStayDue,
  type MembershipOver,
  membershipBefore,
  membershipOver,
} from '../streams/membership-over.js';
import type { SyncContext } from '../streams/sync-context.js';
import { totalUnread } from '../unread/count-by-thread.js';
import { hasReadSince } from '../unread/read-up-to.js';
import { UnreadCounts } from '../unread/unread-counts.js';
import { namesAtEnd, namesNow } from './room-names.js';
import type { RoomContents, RoomTimeline, RoomUpdate, StateStub } from './room-update.js';
import type { SelectedRoom } from './select-rooms.js';
import { TOLD, type ToldRoom } from './told-state.js';
import type { WantedState } from './wanted-state.js';

/** A room to tell of, and how the client stands to it. */
export interface RoomTask {
  readonly selected: SelectedRoom;
  readonly told: ToldRoom | undefined;
  /** The client has what came up to here; undefined: it has nothing. */
  readonly after: Position | undefined;
  /** More is wanted of it than the client was told. */
  readonly wantsMore: boolean;
  /** What notifies the user is something else since the client last looked. */
  readonly isRecounted: boolean;
}

/** What is told of a room, but for what is known without looking at it. */
export type RoomPart = Pick<RoomUpdate, 'membership' | 'contents' | 'stripped'>;

const WHOLE = compileSyncFilter({});

/** Answers for one room in sliding sync, by the same parts as /sync. */
@Injectable()
export class SlidingRooms {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly left: LeftRooms,
    private readonly rows: SharedRows,
    private readonly unread: UnreadCounts,
  ) {}

  /** What there is to tell of a room; undefined: nothing. */
  async read(sync: SyncContext, task: RoomTask): Promise<RoomPart | undefined> {
    const { selected, wantsMore } = task;
    const { roomId, known } = selected.room;
    // Of a stay that is over nothing changes: who wants more of it than they were told is told all there is.
    const isToldAnew = wantsMore && isAway(known.membership) && !known.forgotten;
    const after = isToldAnew ? undefined : task.after;
    if (after !== undefined && known.position <= after) {
      if (known.membership !== 'join') return undefined;
      const reader = memberSince(this.views, roomId, await sync.reader(), after);
      return this.#joined(sync, task, reader, undefined);
    }
    const reader = await findRoomReader(this.views, roomId, await sync.reader());
    // What changed may lie after the end of this answer; a room as it was before an invitation that they are not told is older than that.
    const isOver = known.position <= sync.until.position;
    const over = await membershipOver(reader, after, isOver ? known.position : sync.until.position);
    if (over === undefined || (known.forgotten && !isEndUnheard(over))) return undefined;
    if (over.last.membership === 'join') return this.#joined(sync, { ...task, after }, reader, over);
    const at = isOver ? known.position : over.last.since;
    if (at <= (after ?? START)) return undefined;
    const isDue = isStayDue(reader, over) && !(await heardNoInvitation(reader, task));
    if (!isDue) return this.#away(sync, { ...task, after }, { room: reader, over, at });
    const whole = (await membershipOver(reader, undefined, at)) ?? over;
    return this.#away(sync, { ...task, after: undefined }, { room: reader, over: whole, at });
  }

  async #away(sync: SyncContext, task: RoomTask, departure: Departure): Promise<RoomPart | undefined> {
    const { room, over, at } = departure;
    const { membership } = over.last;
    if (membership !== 'invite' && membership !== 'knock') return this.#left(sync, task, departure);
    const { sender, events } = await readStrippedRoom(room, at);
    if (membership === 'knock' || sender === undefined || !refusesInvitations(room.reader, room.roomId, sender))
      return { membership, contents: undefined, stripped: events };
    // The client may believe to be in the room, or invited by somebody else.
    const before = task.after === undefined ? undefined : await membershipBefore(room, over, task.after);
    return before && this.#away(sync, task, { room, over: before, at: before.last.since });
  }

  async #joined(
    sync: SyncContext,
    task: RoomTask,
    reader: RoomReader,
    over: MembershipOver | undefined,
  ): Promise<RoomPart | undefined> {
    const { selected, wantsMore } = task;
    const { roomId } = selected.room;
    const { state, timelineLimit } = selected.config;
    const isNew = over?.isNew === true;
    const after = isNew ? undefined : task.after;
    const upTo = sync.until.position;
    const isFilled = after !== undefined && (await wasFilled(this.views, roomId, after, upTo));
    const isFull = isNew || wantsMore || isFilled || over?.cameBack === true;
    const room: RoomContext = {
      sync: withFilter(sync, timelineLimit, loadsLazily(state, isFull)),
      roomId,
      reader,
      isNew,
      after,
      upTo,
      isFull,
      recent: this.rows.open(roomId, upTo, timelineLimit + 1, after),
    };
    const window = await this.#window(room, room.recent, after);
    const shown = wantsMore && !isNew ? await this.#expanded(room, window) : window;
    const told = { ...window, shown: shown.shown };
    const named = isFull ? state.namedMembers : [];
    const states = await readStatePart(this.views, room, told, named, keepsRow(state, told, isFull));
    const names = await namesNow(this.views, room, window, states);
    const isSaid = window.limited || window.shown.length > 0 || states.length > 0;
    const isNews = isFull || isSaid || Object.keys(names).length > 0;
    if (!isNews && !(await this.#hasOtherCounts(room, task.isRecounted))) return undefined;
    // Its clients cannot ask for threads apart: what is unread in them is told with the rest, as by /sync where nobody asks.
    const unread = totalUnread(await this.unread.read({ ...room, sync }));
    if (!isNews) return { membership: 'join', contents: { initial: false, unread }, stripped: undefined };
    const contents: RoomContents = {
      initial: isNew,
      unread,
      ...names,
      state: await renderState(states, room),
      gone: await this.#gone(room, window, state),
      timeline: await this.#timeline(room, shown, shown !== window),
    };
    return { membership: 'join', contents, stripped: undefined };
  }

  /** Whether how much is unread may be something else, where nothing happened: the user has read some of it, or other things notify them now. */
  async #hasOtherCounts(room: RoomContext, isRecounted: boolean): Promise<boolean> {
    const { roomId, after, upTo, sync } = room;
    if (after === undefined) return false;
    if (isRecounted && (await this.unread.find(room)).anewAt > after) return true;
    return hasReadSince(this.views, roomId, sync.requester.userId, { after, upTo });
  }

  #window(room: RoomContext, recent: RecentRows, after: Position | undefined): Promise<TimelineWindow> {
    const { timelineLimit } = room.sync.filter;
    // The state is told as it is at the end: of what the timeline shows nothing is taken for it.
    return readWindow(recent, { after, limit: timelineLimit, shows: showsRowOrState(this.views, room) });
  }

  /** The end of the timeline, whatever of it the client has: where more is wanted than before. */
  async #expanded(room: RoomContext, window: TimelineWindow): Promise<TimelineWindow> {
    const { timelineLimit } = room.sync.filter;
    if (window.limited || window.shown.length >= timelineLimit) return window;
    const recent = new RecentRows(this.views, room.roomId, room.upTo, timelineLimit + 1);
    return this.#window({ ...room, recent }, recent, undefined).then((all) =>
      all.shown.length > window.shown.length ? all : window,
    );
  }

  async #timeline(room: RoomContext, { shown, limited }: TimelineWindow, isExpanded: boolean): Promise<RoomTimeline> {
    const { sync, isFull, upTo } = room;
    const since = sync.since?.position;
    return {
      events: await renderTimeline({ shown, limited: limited || isFull }, room),
      ids: shown.map(({ header }) => header.eventId),
      limited,
      isExpanded,
      prevBatch: prevBatchOf(this.views.history, shown, upTo),
      live: since === undefined ? 0 : shown.filter(({ header }) => header.position > since).length,
    };
  }

  /** Keys that resolution left to nothing: no event says so. */
  async #gone(room: RoomContext, window: TimelineWindow, wanted: WantedState): Promise<StateStub[]> {
    const { after, roomId, upTo, end, isFull } = room;
    // All that there is says nothing of what a client has besides.
    const mayChange = isFull || window.limited || window.isResolved;
    if (after === undefined || after >= upTo || !mayChange) return [];
    const { gone } = await listStateChanges(this.views, roomId, after, end?.place ?? upTo);
    return gone.map(stubOf).filter((stub) => mayHave(wanted, stub));
  }

  async #left(sync: SyncContext, task: RoomTask, departure: Departure): Promise<RoomPart> {
    const { state, timelineLimit } = task.selected.config;
    const isFull = departure.over.isNew;
    const isOwn = (row: TimelineRow): boolean => departure.room.isOwnMembership(row.header);
    // How it ended is told in any case: by the state alone some clients know that it did.
    const keepsBeside = (window: TimelineWindow): ((row: TimelineRow) => boolean) => {
      const keeps = keepsRow(state, window, isFull);
      return (row) => isOwn(row) || keeps(row);
    };
    const since = sync.since && task.after && { ...sync.since, position: task.after };
    const filtered = { ...withFilter(sync, timelineLimit, loadsLazily(state, isFull)), since };
    const { room, window, states } = await this.left.look(filtered, departure, keepsBeside);
    const contents: RoomContents = {
      // Who had left and came back meanwhile is told of the whole of the last stay.
      initial: task.after === undefined || (departure.over.isNew && departure.over.wasIn),
      ...(departure.over.wasIn ? await namesAtEnd(departure, window, states, room.isFull) : {}),
      state: await renderState(states, room),
      // Who was never in the room knows nothing of it that could be gone.
      gone: departure.over.wasIn ? await this.#gone(room, window, state) : [],
      timeline: await this.#timeline({ ...room, sync: { ...room.sync, since: sync.since } }, window, false),
    };
    return { membership: departure.over.last.membership, contents, stripped: undefined };
  }
}

/** Whether a client was told nothing of the invitation that there was, for its user ignored who made it, and of no knock before it. */
async function heardNoInvitation(reader: RoomReader, { told, after }: RoomTask): Promise<boolean> {
  if (told === undefined || after === undefined || (told.marks & TOLD.uninvited) === 0) return false;
  return !(await hadKnocked(reader, after));
}

/** Whether of all of the state no more members are read than are needed. */
function loadsLazily(state: WantedState, isFull: boolean): boolean {
  return !state.wantsAllMembers && (state.isLazy || isFull);
}

function withFilter(sync: SyncContext, timelineLimit: number, lazyLoadMembers: boolean): SyncContext {
  const filter: SyncFilter = { ...WHOLE, timelineLimit, lazyLoadMembers };
  return { ...sync, filter };
}

/** MSC4186, "Lazy loaded memberships": besides what is asked for, who wrote or is told of in the timeline, and without a gap all that changed. */
function keepsRow(
  state: WantedState,
  { shown, limited }: TimelineWindow,
  isFull: boolean,
): (row: TimelineRow) => boolean {
  const needed = new Set<string>();
  if (state.isLazy) {
    for (const { header } of shown) {
      needed.add(header.sender);
      if (header.membership !== undefined) needed.add(header.stateKey ?? '');
    }
  }
  const isNeeded = ({ header }: TimelineRow): boolean =>
    state.isLazy && header.membership !== undefined && ((!limited && !isFull) || needed.has(header.stateKey ?? ''));
  return (row) => state.matches(row.header) || isNeeded(row);
}

/** Whether a client that is told so much of the state may have what held a key. */
function mayHave(state: WantedState, { type, state_key: stateKey }: StateStub): boolean {
  return state.matches({ type, stateKey }) || (state.isLazy && type === 'm.room.member');
}

/** The key that `stateKeyOf` wrote. */
function stubOf(key: string): StateStub {
  const colon = key.indexOf(':');
  const end = colon + 1 + Number(key.slice(0, colon));
  return { type: key.slice(colon + 1, end), state_key: key.slice(end) };
}
