import { type Content, type ModelEvent, type ModelState, redactedContent, type RoomModel } from './room-model.js';
import type { WorldModel } from './world-model.js';

/** `maybe`: the specification leaves it open. */
export type Verdict = 'yes' | 'no' | 'maybe';

/** How far a reader may read a room as a whole: its pages, its state, its members. */
export type Door =
  | { readonly open: 'no' }
  /** `end`: the last event of the reader's last stay, by which they left. undefined: up to now. */
  | { readonly open: 'yes' | 'maybe'; readonly end: number | undefined };

/** Who may read what of a room: client-server API, "Room History Visibility", word for word and without haste. */
export class ReaderModel {
  /** Found once: a look asks the same many times. */
  readonly #told = new Map<ModelEvent, boolean>();

  constructor(
    readonly world: WorldModel,
    readonly room: RoomModel,
    readonly userId: string,
  ) {}

  /** Rules 1 to 5, with what has happened before `upTo`: they "depend on the state of the room at that event"; the two exceptions for before and after. */
  isAllowed(event: ModelEvent, upTo = this.room.length): boolean {
    const { room, userId } = this;
    const { index } = event;
    const visibilities = [room.visibilityAfter(index)];
    if (event.type === 'm.room.history_visibility' && event.stateKey === '') {
      visibilities.push(room.visibilityAfter(index - 1));
    }
    const memberships = [room.membershipAfter(userId, index)];
    if (this.isOwnMemberEvent(event)) memberships.push(room.membershipAfter(userId, index - 1));
    return visibilities.some((visibility) =>
      memberships.some((membership) => this.#allows(visibility, membership, index, upTo)),
    );
  }

  #allows(visibility: string, membership: string, index: number, upTo = this.room.length): boolean {
    if (visibility === 'world_readable') return true;
    if (membership === 'join') return true;
    if (visibility === 'shared' && this.joinsAfter(index, upTo)) return true;
    return membership === 'invite' && visibility === 'invited';
  }

  joinsAfter(index: number, upTo: number): boolean {
    for (let later = index + 1; later < upTo; later++) {
      if (this.room.membershipAfter(this.userId, later) === 'join') return true;
    }
    return false;
  }

  isOwnMemberEvent(event: ModelEvent): boolean {
    return event.type === 'm.room.member' && event.stateKey === this.userId;
  }

  /**
   * "Once ignored, the client will no longer receive events sent by that user, with the exception of state events", and
   * "servers must not send room invites from ignored users to clients".
   */
  isIgnored(event: ModelEvent): boolean {
    if (!this.world.ignores(this.userId, event.sender)) return false;
    return event.stateKey === undefined || this.isInvitation(event);
  }

  /** The reader's last member event as far as they are told of it: not of invitations by somebody whom they ignore. */
  lastTold(): ModelEvent | undefined {
    const own = this.room.events.filter((event) => this.isOwnMemberEvent(event));
    return this.isUninvited() ? own.findLast((event) => !this.isInvitation(event)) : own.at(-1);
  }

  /** Whether the reader is invited by somebody whom they ignore. */
  isUninvited(): boolean {
    const last = this.room.events.findLast((event) => this.isOwnMemberEvent(event));
    return last !== undefined && this.isInvitation(last) && this.isIgnored(last);
  }

  /** What the reader is in the room as far as they are told. */
  membershipTold(): string {
    return String(this.lastTold()?.content['membership'] ?? 'leave');
  }

  isInvitation(event: ModelEvent): boolean {
    return this.isOwnMemberEvent(event) && event.content['membership'] === 'invite';
  }

  /** Whether GET /event answers this event. */
  maySee(event: ModelEvent): Verdict {
    if (this.isIgnored(event)) return 'no';
    if (this.isClosed()) {
      // To who has forgotten a room it is as to a stranger, who may read what is open to the world.
      return this.isForTheWorld(event) || this.room.membership(this.userId) === 'invite' ? 'maybe' : 'no';
    }
    if (this.isAllowed(event)) return 'yes';
    // Their own way out and in is no secret to anybody, whether or not it was another's doing.
    return this.isOwnMemberEvent(event) ? 'maybe' : 'no';
  }

  /** Whether everybody may see an event, joined or not. */
  isForTheWorld({ type, index }: ModelEvent): boolean {
    const places = type === 'm.room.history_visibility' ? [index - 1, index] : [index];
    return places.some((place) => this.room.visibilityAfter(place) === 'world_readable');
  }

  /** Whether the reader may know the state as it is just after an event: they could have read a message there. */
  mayKnowStateAfter(index: number): boolean {
    if (index < 0) return false;
    return this.#allows(this.room.visibilityAfter(index), this.room.membershipAfter(this.userId, index), index);
  }

  /** Whether an event may be in any answer to the reader: they may see it, or it was in force where they may look. */
  mayBeTold(event: ModelEvent): boolean {
    const known = this.#told.get(event);
    const isTold = known ?? this.#mayBeTold(event);
    if (known === undefined) this.#told.set(event, isTold);
    return isTold;
  }

  #mayBeTold(event: ModelEvent): boolean {
    if (this.isIgnored(event) && event.stateKey === undefined) return false;
    if (this.isOwnMemberEvent(event) || this.isAllowed(event)) return true;
    if (event.stateKey === undefined) return false;
    for (let index = event.index; index < this.room.length; index++) {
      const inForce = this.room.stateAfter(index).get(`${event.type} ${event.stateKey}`) === event;
      if (inForce && this.mayKnowStateAfter(index)) return true;
    }
    return false;
  }

  /**
   * Whether an event is what a state event that the reader may see has replaced: the state "between since and the start of
   * the timeline" has it where the timeline begins with that.
   */
  isReplacedInSight(event: ModelEvent): boolean {
    return this.room.events.some((later) => this.room.replacedBy(later) === event && this.isAllowed(later));
  }

  /** The last event by which the reader left; undefined while they are in, and for who never was. */
  endOfStay(): number | undefined {
    const { room, userId } = this;
    for (let index = room.length - 1; index > 0; index--) {
      const isEnd =
        room.membershipAfter(userId, index - 1) === 'join' && room.membershipAfter(userId, index) !== 'join';
      if (room.membershipAfter(userId, index) === 'join') return undefined;
      if (isEnd) return index;
    }
    return undefined;
  }

  /** Whether the reader was in the room or on their way into it when it had so many events. */
  wasThereAfter(count: number): boolean {
    return count > 0 && ['join', 'invite', 'knock'].includes(this.room.membershipAfter(this.userId, count - 1));
  }

  wasIn(): boolean {
    return this.room.events.some(({ index }) => this.room.membershipAfter(this.userId, index) === 'join');
  }

  door(): Door {
    const { room, userId } = this;
    const membership = room.membership(userId);
    if (membership === 'join' || room.visibility() === 'world_readable') {
      return { open: this.isClosed() ? 'maybe' : 'yes', end: undefined };
    }
    if (this.isClosed()) return { open: 'no' };
    const end = this.endOfStay();
    return end === undefined ? { open: 'no' } : { open: 'yes', end };
  }

  /** As `door`, for events one by one: the invited see some, where they may, and may be let in to page through them. */
  doorToEvents(): Door {
    const door = this.door();
    const isInvited = this.room.membership(this.userId) === 'invite' && this.room.visibility() === 'invited';
    return door.open === 'no' && isInvited ? { open: 'maybe', end: undefined } : door;
  }

  /** Whether the reader has forgotten the room: then it is left open how much is told to them of what strangers may see. */
  isClosed(): boolean {
    return this.world.isClosed(this.userId, this.room);
  }

  /** The events that the pages of the room must have for the reader, in order. */
  visibleEvents(): ModelEvent[] {
    const door = this.doorToEvents();
    if (door.open === 'no') return [];
    const end = door.end ?? this.room.length - 1;
    return this.room.events.filter((event) => event.index <= end && this.isAllowed(event) && !this.isIgnored(event));
  }

  /** The events that a timeline of /sync has for who is in the room: the state in force is told whatever history hides. */
  visibleOrInForce(): ModelEvent[] {
    const visible = new Set(this.visibleEvents());
    const inForce = new Set(this.room.stateAfter(this.room.length - 1).values());
    return this.room.events.filter((event) => visible.has(event) || inForce.has(event));
  }

  /**
   * Whether a page may have an event or not: what everybody may read or became of the reader themself, after their stay. "They
   * may see any events which they were allowed to see before they left the room, but no events received after they left" says
   * one thing of it, the rules another.
   */
  isOptional(event: ModelEvent): boolean {
    const door = this.doorToEvents();
    if (door.open === 'no' || door.end === undefined || event.index <= door.end || this.isIgnored(event)) return false;
    return this.isAllowed(event) || this.isOwnMemberEvent(event);
  }

  /** The state that the reader is shown: of now, or of where their stay ended. */
  visibleState(): ModelState {
    const door = this.door();
    return door.open === 'no' ? new Map() : this.room.stateAfter(door.end ?? this.room.length - 1);
  }

  /** What may stand as the content of an event for this reader: redactions count at once, wherever the event stands. */
  contentsOf(event: ModelEvent): readonly Content[] {
    const remains = redactedContent(event);
    if (this.room.isRedacted(event)) return [remains];
    const erasedAt = this.world.erased.get(event.sender)?.get(this.room.roomId);
    // State is the room's, not its sender's alone: how much of it is erased is not said.
    if (erasedAt === undefined || event.sender === this.userId) return [event.content];
    if (event.stateKey !== undefined) return [event.content, remains];
    if (this.room.membershipAfter(this.userId, event.index) === 'join') return [event.content];
    // "Any users which join the room after the erasure request are served redacted copies […] Users which had visibility on
    // those events prior to the erasure are still able to see unredacted copies."
    return event.index < erasedAt && this.isAllowed(event, erasedAt) ? [event.content, remains] : [remains];
  }
}
