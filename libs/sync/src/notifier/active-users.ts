import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import { COVERED } from '../streams/covered.js';
import { ActiveUser, type KnownRoom } from './active-user.js';
import { type MembershipTouch, type Touch, touchOf } from './fact-touches.js';
import { Hearing } from './hearing.js';
import { Interest } from './interest.js';
import { LateViews } from './late-views.js';
import { LoadedUsers } from './loaded-users.js';
import type { MembershipFollower } from './membership-follower.js';
import { Recent } from './recent.js';
import { RowsOfUsers } from './rows-of-users.js';
import { addTo, removeFrom } from './set-index.js';

/** A user and the interest registered for a request of that user. */
export interface Watch {
  readonly user: ActiveUser;
  readonly interest: Interest;
}

/** What the metrics tell of it. */
export interface NotifierNumbers {
  readonly users: number;
  readonly waiting: number;
  readonly wakeUps: number;
  readonly rooms: number;
  readonly touchedRooms: number;
}

/**
 * The users who sync now or did lately, with their rooms, and the last position of every room that something happened in: so
 * a sync with nothing new is decided in memory, and a fact in a room costs as much as it has members who sync. Users load
 * their rooms from the views once and are kept up to date from the facts.
 */
@Injectable()
export class ActiveUsers implements Listener, OnModuleDestroy {
  readonly name = 'active-users';
  readonly #users: LoadedUsers;
  /** The active users who are joined to a room. */
  readonly #joined = new Map<RoomId, Set<ActiveUser>>();
  /** Requests that watch a room without being joined to it. */
  readonly #visitors = new Map<RoomId, Set<Interest>>();
  readonly #hearing = new Hearing();
  readonly #rows: RowsOfUsers;
  readonly #late: LateViews;
  #follower: MembershipFollower | undefined;
  #seen: Position | undefined;
  #recent: Recent | undefined;
  #waiting = 0;
  #wakeUps = 0;

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) stopwatch: Stopwatch,
    /** What those read whom it wakes. */
    @Inject(COVERED) readonly reads: readonly string[],
  ) {
    this.#rows = new RowsOfUsers(views, (user, roomId, isIn) => this.#index(user, roomId, isIn));
    const heard = (): Position => this.position;
    this.#users = new LoadedUsers(this.#rows, stopwatch, heard, (user) => this.#forget(user));
    this.#late = new LateViews(views, reads, heard, () => this.#wakeAll());
  }

  /** The last fact that was taken note of: what is kept in memory is what the views had when they had passed it. */
  get position(): Position {
    return this.#seen ?? this.begin(this.views.position(this.reads));
  }

  /** What happened lately. */
  get recent(): Recent {
    void this.position;
    return this.#recent!; // made with the position
  }

  get numbers(): NotifierNumbers {
    return {
      users: this.#users.size,
      waiting: this.#waiting,
      wakeUps: this.#wakeUps,
      rooms: this.#joined.size,
      touchedRooms: this.#recent?.rooms.size ?? 0,
    };
  }

  /**
   * Settles when everything that the views show by now is taken note of, or after some seconds: whoever has written something and waited
   * for the views finds it in memory too. `user`: whose rooms are looked at.
   */
  async catchUp(user?: ActiveUser): Promise<void> {
    const position = this.views.position(this.reads);
    if (position > this.position) await this.#hearing.wait(position);
    else if (position < this.position) this.#late.follow(position);
    if (user !== undefined) await this.#rows.catchUp(user);
  }

  /**
   * Up to where the views show all that was taken note of, and a user's rooms are known: no answer goes further. Where a projection is
   * paused or filled anew it stands still.
   */
  knownUpTo(user?: ActiveUser): Position {
    const rooms = user && this.#rows.knownUpTo(user);
    const seen = rooms === undefined || this.position < rooms ? this.position : rooms;
    const passed = this.views.position(this.reads);
    return passed < seen ? passed : seen;
  }

  /** Registers interest in what happens to a user, and in a room besides if the user only visits it. To be closed. */
  async watch(userId: UserId, visited?: RoomId): Promise<Watch> {
    const user = await this.#users.get(userId);
    const interest = new Interest((closed) => {
      this.#waiting--;
      user.interests.delete(closed);
      if (visited !== undefined) removeFrom(this.#visitors, visited, closed);
    });
    this.#waiting++;
    user.interests.add(interest);
    if (visited !== undefined) addTo(this.#visitors, visited, interest);
    return { user, interest };
  }

  /** Views that were behind the log then may pass that without a word. */
  begin(after: Position): Position {
    this.#recent = new Recent(after);
    return (this.#seen = after);
  }

  /** Called by the projections, in the order of the log, once the views show the facts. */
  hear(facts: readonly RecordedFact[]): void {
    const [first, last] = [facts[0], facts.at(-1)];
    if (first === undefined || last === undefined) return;
    // Of what lies before the first fact nothing is remembered.
    this.#seen ??= this.begin(first.position);
    for (const fact of facts) this.#take(fact);
    if (last.position > this.#seen) this.#seen = last.position;
    this.#hearing.pass(this.#seen);
  }

  /** Wakes the requests of those who are in a room, or look at it: for what is told of it and is not in the log. */
  wakeRoom(roomId: RoomId): void {
    for (const user of this.#joined.get(roomId) ?? []) this.#wake(user);
    for (const interest of this.#visitors.get(roomId) ?? []) interest.wake();
  }

  /**
   * Wakes the requests that hear of presence, of these users and of who is in any of the rooms, each once. Answers how many they are, with
   * those users who asked lately and will hear of it as they ask the next time.
   */
  wakeForPresence(userIds: Iterable<UserId>, roomIds: Iterable<RoomId>): number {
    const users = new Set<ActiveUser | undefined>();
    for (const userId of userIds) users.add(this.#users.find(userId));
    for (const roomId of roomIds) for (const user of this.#joined.get(roomId) ?? []) users.add(user);
    let [woken, absent] = [0, 0];
    for (const user of users) {
      if (user?.interests.size === 0) absent++;
      for (const interest of user?.interests ?? []) {
        if (!interest.hearsPresence) continue;
        interest.wake();
        woken++;
      }
    }
    this.#wakeUps += woken;
    return woken + absent;
  }

  /** The rooms that a user has to do with. */
  roomsOf(userId: UserId): ReadonlyMap<RoomId, KnownRoom> | Promise<ReadonlyMap<RoomId, KnownRoom>> {
    const user = this.#users.get(userId);
    return user instanceof ActiveUser ? user.rooms : user.then(({ rooms }) => rooms);
  }

  /** Whether a user did something behind a position, as `ActiveUser` has it; undefined where that is not known. */
  hasOwnFactsSince(userId: UserId, position: Position): boolean | undefined {
    return this.#users.find(userId)?.hasOwnFactsSince(position);
  }

  /** Has somebody told where users come and go. */
  follow(follower: MembershipFollower): void {
    this.#follower = follower;
  }

  /** Wakes the requests of a user: for streams that are not in the log. */
  wakeUser(userId: UserId): void {
    const user = this.#users.find(userId);
    if (user !== undefined) this.#wake(user);
  }

  onModuleDestroy(): void {
    this.#hearing.end();
    this.#late.end();
  }

  #take(fact: RecordedFact): void {
    try {
      const touch = touchOf(fact);
      if (touch !== undefined) this.#apply(touch, fact.position);
    } catch {
      // A fact that cannot be read is in no view either: the projections keep it as a dead letter and say so.
    }
  }

  #apply(touch: Touch, position: Position): void {
    switch (touch.kind) {
      case 'room': {
        const { roomId } = touch;
        this.recent.rooms.touch(roomId, position);
        if (touch.hasMembers) this.recent.members.touch(roomId, position);
        if (touch.moderates) this.recent.moderated.touch(roomId, position);
        if (touch.changesLevels) this.recent.levels.touch(roomId, position);
        const targets = touch.members((userId) => this.#users.has(userId) || this.#follower?.follows(userId) === true);
        for (const target of targets) {
          this.#setMembership(target, roomId, position);
          this.#follower?.moved(target.userId, roomId, target.membership);
        }
        if (touch.hears === 'room') this.wakeRoom(roomId);
        return;
      }
      case 'elsewhere': {
        const { member, roomId } = touch;
        // Of who is in the room its own events alone say what they are, as in the views.
        if (this.#users.find(member.userId)?.isIn(roomId) !== true) this.#setMembership(member, roomId, position);
        return;
      }
      case 'redaction':
        this.recent.redactions.note(touch.roomId, touch.eventId, position);
        if (touch.moderates) this.recent.moderated.touch(touch.roomId, position);
        return;
      case 'receipt':
        this.recent.receipts.touch(touch.roomId, position);
        if (touch.hears === 'room') this.wakeRoom(touch.roomId);
        else if (touch.hears === 'user') this.wakeUser(touch.userId);
        return;
      case 'messages':
        for (const userId of touch.userIds) {
          const user = this.#users.find(userId);
          user?.touchInbox(position);
          if (user !== undefined) this.#wake(user);
        }
        return;
      case 'forgotten':
        this.#users.find(touch.userId)?.forget(touch.roomId);
        return;
      case 'user':
        this.#users.find(touch.userId)?.touch(position);
        if (touch.hears === 'user') this.wakeUser(touch.userId);
        if (touch.keys?.userId !== undefined) this.#tellOfKeys(touch.keys.userId, position);
        return;
      default:
    }
  }

  /** Notes that a user's keys changed, and wakes those who share a room with them. */
  #tellOfKeys(userId: UserId, position: Position): void {
    this.recent.keyChanges.note(userId, position);
    const wake = ({ rooms }: ActiveUser): void => {
      for (const [roomId, { membership }] of rooms) if (membership === 'join') this.wakeRoom(roomId);
    };
    const known = this.#users.get(userId);
    if (known instanceof ActiveUser) wake(known);
    // Where their rooms cannot be read, who waits hears of it when something else wakes them.
    else void known.then(wake, () => {});
  }

  #setMembership({ userId, membership, sender }: MembershipTouch, roomId: RoomId, position: Position): void {
    const user = this.#users.find(userId);
    if (user === undefined) return;
    user.setMembership(roomId, membership, position, sender);
    // What is the user's own and belongs to the room is told of from here on, or not any more.
    user.touch(position);
    this.#index(user, roomId, user.isIn(roomId));
    if (!user.isIn(roomId)) this.#wake(user); // of a room one has left, or is invited to, only this very change is news
  }

  #wake(user: ActiveUser): void {
    if (user.interests.size === 0) return;
    this.#wakeUps++;
    user.wake();
  }

  /** Answers how many requests wait. */
  #wakeAll(): number {
    for (const user of this.#users.values()) this.#wake(user);
    return this.#waiting;
  }

  #index(user: ActiveUser, roomId: RoomId, isIn: boolean): void {
    if (isIn) addTo(this.#joined, roomId, user);
    else removeFrom(this.#joined, roomId, user);
  }

  #forget(user: ActiveUser): void {
    for (const roomId of user.rooms.keys()) removeFrom(this.#joined, roomId, user);
  }
}
