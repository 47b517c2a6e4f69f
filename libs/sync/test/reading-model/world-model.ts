import { RoomModel } from './room-model.js';

/** A token that somebody was given, and what the rooms held then. */
export interface KeptToken {
  readonly token: string;
  /** How many events each room had. */
  readonly lengths: ReadonlyMap<string, number>;
  /** The turn of that moment. */
  readonly turn: number;
}

/** All that has happened in a life beside the events of rooms. */
export class WorldModel {
  readonly rooms = new Map<string, RoomModel>();
  readonly ignored = new Map<string, ReadonlySet<string>>();
  /** Which rooms a user has forgotten: from how many events on. */
  readonly forgotten = new Map<string, Map<string, number>>();
  /** Who was erased, and how many events each room had then. */
  readonly erased = new Map<string, ReadonlyMap<string, number>>();
  readonly gone = new Set<string>();
  /** Who is typing in a room. */
  readonly typing = new Map<string, Set<string>>();
  /** The receipts of a room by type and user. */
  readonly receipts = new Map<string, Map<string, ModelReceipt>>();
  /** Counts what happens beside the events of rooms. */
  turn = 0;
  readonly tokens = new Map<string, KeptToken[]>();

  room(roomId: string): RoomModel {
    let room = this.rooms.get(roomId);
    if (room === undefined) this.rooms.set(roomId, (room = new RoomModel(roomId)));
    return room;
  }

  lengths(): ReadonlyMap<string, number> {
    return new Map([...this.rooms].map(([roomId, { length }]) => [roomId, length]));
  }

  /** Whether the reader is not to hear of what another says: whoever ignores themself still hears their own. */
  ignores(reader: string, sender: string): boolean {
    return reader !== sender && this.ignored.get(reader)?.has(sender) === true;
  }

  /** A room stays out of its user's lists until they are invited, knock or come back. */
  hasForgotten(reader: string, room: RoomModel): boolean {
    return this.#isSince(reader, room, ['leave', 'ban']);
  }

  /** "A user will no longer be able to retrieve history for this room", until they are in it again. */
  isClosed(reader: string, room: RoomModel): boolean {
    return this.#isSince(reader, room, ['leave', 'ban', 'invite', 'knock']);
  }

  #isSince(reader: string, room: RoomModel, memberships: readonly string[]): boolean {
    const since = this.forgotten.get(reader)?.get(room.roomId);
    if (since === undefined) return false;
    for (let index = since; index < room.length; index++) {
      if (!memberships.includes(room.membershipAfter(reader, index))) return false;
    }
    return true;
  }

  /** Who is seen typing: nobody who has left. */
  typingIn(room: RoomModel): string[] {
    return [...(this.typing.get(room.roomId) ?? [])].filter((userId) => room.membership(userId) === 'join');
  }
}

export interface ModelReceipt {
  readonly userId: string;
  readonly type: string;
  readonly eventId: string;
  /** When it came. */
  readonly turn: number;
  /** How many events the room had then. */
  readonly length: number;
}
