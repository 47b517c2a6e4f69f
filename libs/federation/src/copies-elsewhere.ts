import { Inject, Injectable } from '@nestjs/common';
import type { RoomId, ServerName, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { PersonalData, type PersonalDataKind, type PersonalRecord } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { MEMBERSHIP_LOG } from '#rooms/projections/membership-log';
import { USER_ROOMS, type UserRoomRow } from '#rooms/projections/membership.projector';
import { nameRoomFor } from '#rooms/personal-data/room-names';
import { REMOTE_MEMBERS, ROOM_SERVERS, SERVER_ROOMS } from './projections/remote-servers.projector.js';

/** A server that has a copy of a room, as it was when it left where it is not in it any more. */
interface Holder {
  readonly server: ServerName;
  readonly isIn: boolean;
}

/** Whoever is in a room has all of it; what came while they were there they keep. */
interface CopiedRoom {
  readonly roomId: RoomId;
  readonly row: UserRoomRow;
  readonly holders: readonly Holder[];
}

/** Which other servers hold copies of the rooms that people wrote in: of what they wrote, as far as these servers ever let go of nothing. */
@Injectable()
export class CopiesElsewhere {
  constructor(
    data: PersonalData,
    @Inject(VIEWS) private readonly views: Views,
  ) {
    data.add(this.#servers(), this.#rooms());
  }

  #servers(): PersonalDataKind {
    return {
      name: 'servers',
      chapter: 'places',
      isCountedAsErased: false,
      title: 'Other servers',
      about:
        'Those that hold copies of rooms that you wrote in: they were in these rooms with you, or came later. What becomes of the copies is up to them.',
      covers: { collections: [ROOM_SERVERS, SERVER_ROOMS, REMOTE_MEMBERS], facts: [] },
      read: (userId) => this.#readServers(userId),
    };
  }

  async *#readServers(userId: UserId): AsyncGenerator<PersonalRecord, void> {
    const counts = new Map<ServerName, { rooms: number; stillIn: number }>();
    for await (const { holders } of this.#copies(userId)) {
      for (const { server, isIn } of holders) {
        const before = counts.get(server) ?? { rooms: 0, stillIn: 0 };
        counts.set(server, { rooms: before.rooms + 1, stillIn: before.stillIn + Number(isIn) });
      }
    }
    const sorted = [...counts].toSorted(([one], [other]) => (one < other ? -1 : 1));
    for (const [server, { rooms, stillIn }] of sorted)
      yield { data: { server_name: server, rooms, rooms_it_is_in: stillIn } };
  }

  #rooms(): PersonalDataKind {
    return {
      name: 'copies',
      chapter: 'places',
      isCountedAsErased: false,
      isHandedOverAlone: true,
      title: 'Rooms on other servers',
      about: 'The same by rooms: of each the servers that hold a copy.',
      covers: { collections: [], facts: [] },
      read: (userId) => this.#readRooms(userId),
    };
  }

  async *#readRooms(userId: UserId): AsyncGenerator<PersonalRecord, void> {
    for await (const { roomId, row, holders } of this.#copies(userId)) {
      if (holders.length === 0) continue;
      const names = (isWanted: boolean): ServerName[] =>
        holders.flatMap(({ server, isIn }) => (isIn === isWanted ? [server] : []));
      const name = await nameRoomFor(this.views, userId, roomId, row);
      yield { data: { room_id: roomId, name, servers_in_it: names(true), servers_that_left: names(false) } };
    }
  }

  async *#copies(userId: UserId): AsyncGenerator<CopiedRoom, void> {
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [userId] })) {
      for (const { key, value: row } of page) {
        const since = await this.#wroteFrom(key[1], userId);
        if (since !== undefined) yield { roomId: key[1], row, holders: await this.#holders(key[1], since) };
      }
    }
  }

  /** From where on somebody may have written in a room: their first join, or knock; undefined where they were invited at most. */
  async #wroteFrom(roomId: RoomId, userId: UserId): Promise<Position | undefined> {
    for await (const page of MEMBERSHIP_LOG.pages(this.views, { prefix: [roomId, userId] })) {
      const first = page.find(({ value: { membership } }) => membership === 'join' || membership === 'knock');
      if (first !== undefined) return first.key[2];
    }
    return undefined;
  }

  async #holders(roomId: RoomId, since: Position): Promise<Holder[]> {
    const holders: Holder[] = [];
    for (const standing of ['in', 'out'] as const) {
      for await (const page of ROOM_SERVERS.pages(this.views, { prefix: [roomId, standing] })) {
        for (const { key, value } of page) {
          // Who left before that has nothing of theirs.
          if (value.until === undefined || value.until > since)
            holders.push({ server: key[2], isIn: standing === 'in' });
        }
      }
    }
    return holders;
  }
}
