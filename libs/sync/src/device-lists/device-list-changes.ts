import { Inject, Injectable } from '@nestjs/common';
import {
  KEY_CHANGES,
  KEYS_SEEN,
  LAST_KEY_CHANGES,
  LISTED_MOVES,
  LISTED_ROOMS,
} from '#devices/projections/device-lists.projector';
import { RoomMates } from '#devices/queries/room-mates';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Turn } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { listStandings } from '#rooms/reading/standing';
import type { KnownRoom } from '../notifier/active-user.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { lookUpLast } from '../notifier/look-up-last.js';

/** Who asks, with their rooms as of now, and the turn of the event loop that the answer is computed in. */
export interface ListsReader {
  readonly userId: UserId;
  readonly rooms: ReadonlyMap<RoomId, KnownRoom>;
  readonly turn: Turn;
}

/** Of whom a client has to ask for the devices again, and whose devices are no business of it any more. */
export interface DeviceListChange {
  readonly changed: ReadonlySet<UserId>;
  readonly left: ReadonlySet<UserId>;
}

export const NO_DEVICE_LIST_CHANGE: DeviceListChange = Object.freeze({
  changed: new Set<UserId>(),
  left: new Set<UserId>(),
});

/** As clients are told of it: in the order of the ids, and not of the rooms and changes that are in memory. */
export function toldLists({ changed, left }: DeviceListChange): {
  readonly changed: UserId[];
  readonly left: UserId[];
} {
  return { changed: [...changed].toSorted(), left: [...left].toSorted() };
}

/** Who is invited to a room of the reader may read what is written there from then on, and so their client encrypts for them. */
const LISTED = ['join', 'invite'];
/** So many users' changes are looked at one by one; where there are more, the members of the reader's rooms are. */
const MOST_CHANGES = 5_000;
const PAGE = 1_000;
/** So many users' pasts are looked up side by side. */
const AT_ONCE = 32;

/**
 * Whose devices changed for a user over a stretch of the log: those whose keys changed, who joined, left or was invited to a room of theirs,
 * and everybody in rooms that they joined or left themself (client-server API, "Tracking the device list for a user"). Whether somebody shares a
 * room with the reader is asked as of now: where that changes after the stretch, the next one tells it.
 */
@Injectable()
export class DeviceListChanges {
  /** The collections that it reads, one of each projector. */
  static readonly covers = [LISTED_ROOMS.name, 'membership-log'];

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
  ) {}

  /** What changed after a position (exclusive) up to another. `hasOwnFacts`: whether the reader's own streams may have any there. */
  async between(
    reader: ListsReader,
    since: Position,
    until: Position,
    hasOwnFacts: boolean,
  ): Promise<DeviceListChange> {
    if (until <= since) return NO_DEVICE_LIST_CHANGE;
    const { userId } = reader;
    const joined = joinedRoomsOf(reader);
    const mates = new RoomMates(this.views, userId, joined, LISTED);
    const changed = new Set<UserId>();
    const moved = new Set<UserId>();
    if (!this.active.recent.members.isQuietSince(since))
      await this.#readMoves(reader, since, until, { joined, changed, moved });
    changed.delete(userId);
    for (const other of await this.#keysChanged(reader, since, until)) {
      if (reader.turn.isOver()) await reader.turn.pass();
      if (!changed.has(other) && (await mates.has(other))) changed.add(other);
    }
    if (hasOwnFacts) for (const other of await this.#seenByReader(userId, since, until)) changed.add(other);
    const left = new Set<UserId>();
    for (const other of moved) {
      if (changed.has(other) || other === userId) continue;
      if (reader.turn.isOver()) await reader.turn.pass();
      if (!(await mates.has(other))) left.add(other);
    }
    return { changed, left };
  }

  /** Everybody who shares a room with the reader or is invited there, and the reader: for a client that believes what it heard of a lost part of the log. */
  async everybody(reader: ListsReader): Promise<DeviceListChange> {
    const changed = new Set<UserId>([reader.userId]);
    for (const roomId of joinedRoomsOf(reader)) {
      for await (const moves of LISTED_MOVES.pages(this.views, { prefix: [roomId] }, PAGE)) {
        for (const { key, value } of moves) if (value !== 'leave') changed.add(key[2]);
        if (reader.turn.isOver()) await reader.turn.pass();
      }
    }
    return { changed, left: new Set() };
  }

  /**
   * Notes who is in rooms of the reader now, or invited, and was not before (`changed`), and who may be in none any more (`moved`). Of a room that the
   * reader has left only those count who were in it with them: who came later is no business of theirs.
   */
  async #readMoves(
    reader: ListsReader,
    since: Position,
    until: Position,
    found: { readonly joined: ReadonlySet<RoomId>; readonly changed: Set<UserId>; readonly moved: Set<UserId> },
  ): Promise<void> {
    for (const [roomId, { position }] of reader.rooms) {
      const isIn = found.joined.has(roomId);
      const own = position > since ? await LISTED_ROOMS.get(this.views, [reader.userId, roomId]) : undefined;
      const hasMoved = own !== undefined && own.position > since;
      if (!hasMoved && !(isIn && (await this.#hasMoves(roomId, since)))) continue;
      const end = hasMoved && !own.joined ? own.position : undefined;
      // Where the reader came or went, everybody in the room is of interest, else those who came or went.
      const range = hasMoved ? {} : ({ after: [roomId, since, '\u{10ffff}' as UserId] } as const);
      for await (const moves of LISTED_MOVES.pages(this.views, { prefix: [roomId], ...range }, PAGE)) {
        const later: UserId[] = [];
        for (const { key, value } of moves) {
          const [, at, userId] = key;
          if (end !== undefined && at >= end) later.push(userId);
          else if (value === 'leave' ? at > since && at <= until : hasMoved || at <= until) {
            (value !== 'leave' && isIn ? found.changed : found.moved).add(userId);
          }
        }
        if (end !== undefined) await this.#addMates(roomId, later, end, found.moved);
        if (reader.turn.isOver()) await reader.turn.pass();
      }
    }
  }

  /** Adds those of some users who were in a room just before a position. */
  async #addMates(roomId: RoomId, users: readonly UserId[], end: Position, found: Set<UserId>): Promise<void> {
    for (let at = 0; at < users.length; at += AT_ONCE) {
      const some = users.slice(at, at + AT_ONCE);
      const pasts = await Promise.all(
        some.map((userId) => listStandings(this.views, roomId, userId, { upTo: end, limit: 2 })),
      );
      for (const [i, past] of pasts.entries()) {
        if (past.find(({ since }) => since < end)?.membership === 'join') found.add(some[i]!);
      }
    }
  }

  async #hasMoves(roomId: RoomId, since: Position): Promise<boolean> {
    return lookUpLast(this.views, [LISTED_MOVES], this.active.recent.members, roomId, since);
  }

  /** Whose keys changed, of the reader's room mates at least. */
  async #keysChanged(reader: ListsReader, since: Position, until: Position): Promise<ReadonlySet<UserId>> {
    const recent = this.active.recent.keyChanges.between(since, until);
    if (recent !== undefined) return recent;
    const rows = await KEY_CHANGES.scan(this.views, { after: [since], to: [until], limit: MOST_CHANGES + 1 });
    if (rows.length <= MOST_CHANGES) return new Set(rows.map(({ value }) => value));
    const { changed: mates } = await this.everybody(reader);
    const users = [...mates];
    const changed = new Set<UserId>();
    for (let at = 0; at < users.length; at += PAGE) {
      const page = users.slice(at, at + PAGE);
      const positions = await LAST_KEY_CHANGES.getMany(
        this.views,
        page.map((userId) => [userId]),
      );
      for (const [i, userId] of page.entries()) {
        const position = positions[i];
        if (position !== undefined && position > since && position <= until) changed.add(userId);
      }
      if (reader.turn.isOver()) await reader.turn.pass();
    }
    return changed;
  }

  /** Whose keys changed for the reader alone: what they signed. */
  async #seenByReader(userId: UserId, since: Position, until: Position): Promise<UserId[]> {
    const users: UserId[] = [];
    for await (const rows of KEYS_SEEN.pages(this.views, { prefix: [userId] }, PAGE)) {
      for (const { key, value } of rows) if (value > since && value <= until) users.push(key[1]);
    }
    return users;
  }
}

function joinedRoomsOf({ rooms }: ListsReader): ReadonlySet<RoomId> {
  const joined = new Set<RoomId>();
  for (const [roomId, { membership }] of rooms) if (membership === 'join') joined.add(roomId);
  return joined;
}
