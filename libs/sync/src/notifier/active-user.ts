import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { UserRoomRow } from '#rooms/projections/membership.projector';
import type { Interest } from './interest.js';

/** What is kept of a room that a user has to do with. */
export interface KnownRoom {
  readonly membership: string;
  /** The position of the user's last member event. */
  readonly position: Position;
  /** The user wants to hear of it no more. */
  readonly forgotten: boolean;
  /** Who made the user that, where it was somebody else. Not told of who is in the room. */
  readonly by?: UserId;
  /** The user was in the room before, and has not forgotten it since. Not told of who is in it. */
  readonly wasIn?: true;
}

/** Whether it was somebody else's doing that a user is not in a room any more: that they were put out of it, or banned later. */
export function isPutOut({ membership, by, wasIn }: KnownRoom): boolean {
  return isAway(membership) && by !== undefined && wasIn === true;
}

/** A user who syncs now or did lately. Kept up to date by ActiveUsers; others only read it. */
export class ActiveUser {
  readonly #rooms = new Map<RoomId, KnownRoom>();
  #roomsMark: object = {};
  readonly interests = new Set<Interest>();
  /** When somebody last asked for it, in milliseconds since the epoch. */
  usedAt: number;
  /** The position of the last fact of the user's own streams, or that made them anything else in a room, of those behind `since`. */
  #lastFact: Position;
  /** The position of the last message to any of the user's devices, of those behind `since`. */
  #lastMessage: Position;

  constructor(
    readonly userId: UserId,
    /** Of what was behind this position when it was loaded, the own streams' last fact is not known. */
    readonly since: Position,
    now: number,
  ) {
    this.usedAt = now;
    this.#lastFact = since;
    this.#lastMessage = since;
  }

  get rooms(): ReadonlyMap<RoomId, KnownRoom> {
    return this.#rooms;
  }

  /** Another object after each change of `rooms`: by it whoever has looked at them knows whether they are as they were. */
  get roomsMark(): object {
    return this.#roomsMark;
  }

  /** Whether there are such facts behind a position; undefined where that has to be looked up. */
  hasOwnFactsSince(position: Position): boolean | undefined {
    if (this.#lastFact > position) return this.#lastFact > this.since ? true : undefined;
    return false;
  }

  /** Whether the user is in a room now. */
  isIn(roomId: RoomId): boolean {
    return this.rooms.get(roomId)?.membership === 'join';
  }

  /** Whether there may be messages to a device of the user behind a position: that is then to be looked up. */
  mayHaveMessagesSince(position: Position): boolean {
    return this.#lastMessage > position;
  }

  /** Notes messages to devices of the user. */
  touchInbox(position: Position): void {
    if (position > this.#lastMessage) this.#lastMessage = position;
  }

  /** Notes such a fact. */
  touch(position: Position): void {
    if (position > this.#lastFact) this.#lastFact = position;
  }

  /** Takes a row of `user-rooms` unless something newer is known. Answers whether the user is in the room now. */
  load(roomId: RoomId, row: UserRoomRow): boolean {
    const known = this.rooms.get(roomId);
    const forgotten = row.forgotten === true;
    if (known === undefined || known.position < row.pos) this.#put(roomId, this.#known(row, forgotten));
    else if (known.position === row.pos && forgotten) this.forget(roomId);
    return this.rooms.get(roomId)?.membership === 'join';
  }

  /** Notes a new membership. What was forgotten stays so only from one kind of absence to another, as in `user-rooms`. */
  setMembership(roomId: RoomId, membership: string, position: Position, sender?: UserId): void {
    const known = this.rooms.get(roomId);
    if (known !== undefined && known.position >= position) return;
    const was_in = known?.membership === 'join' ? true : known?.wasIn;
    const row = { membership, pos: position, sender, was_in };
    this.#put(roomId, this.#known(row, isAway(membership) && known?.forgotten === true));
  }

  /** Notes that the user wants to hear of a room no more. */
  forget(roomId: RoomId): void {
    const known = this.rooms.get(roomId);
    if (known !== undefined && isAway(known.membership)) {
      // Who is invited again, and does not come, is told as little of it as who never was there.
      const { wasIn: _, ...rest } = known;
      this.#put(roomId, { ...rest, forgotten: true });
    }
  }

  wake(): void {
    for (const interest of this.interests) interest.wake();
  }

  #put(roomId: RoomId, known: KnownRoom): void {
    this.#rooms.set(roomId, known);
    this.#roomsMark = {};
  }

  /** PERF: of most rooms, which users are in, there are thousands. */
  #known({ membership, pos: position, sender, was_in, closed }: Membership, forgotten: boolean): KnownRoom {
    const known = { membership, position, forgotten };
    if (membership === 'join') return known;
    const byOther = sender === undefined || sender === this.userId ? {} : { by: sender };
    return { ...known, ...byOther, ...(was_in === true && closed !== true ? { wasIn: true } : {}) };
  }
}

/** What is looked at of a member event. */
type Membership = Pick<UserRoomRow, 'membership' | 'pos' | 'was_in' | 'closed'> & {
  readonly sender: UserId | undefined;
};

/** Whether somebody with a membership is neither in the room nor on their way into it. */
export function isAway(membership: string): boolean {
  return membership === 'leave' || membership === 'ban';
}
