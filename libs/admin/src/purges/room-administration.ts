import { Inject, Injectable } from '@nestjs/common';
import { isRoomAlias, type RoomAlias, type RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { ALIAS_BOOK, type AliasBook } from '#rooms/alias-book';
import { DESERTED_ROOMS, OWN_STAYS } from '#rooms/projections/deserted-rooms.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { type Held, type Purge, RoomPurges } from './room-purges.js';

/** A room that nobody of this server has to do with any more. */
export interface DesertedRoom {
  readonly room: RoomId;
  readonly name?: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly isHeld: boolean;
}

/** So many are told at once. */
const MOST_TOLD = 1_000;

/** What operators do to rooms, which they name by their ids or by aliases of this server. Throws M_INVALID_PARAM and M_NOT_FOUND. */
@Injectable()
export class RoomAdministration {
  constructor(
    private readonly purges: RoomPurges,
    @Inject(ALIAS_BOOK) private readonly aliases: AliasBook,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /**
   * Orders that a room is let go of; answers the id of the purge. Where somebody of this server is in it that is refused (M_FORBIDDEN),
   * unless they are to leave it; so it is for a room under hold.
   */
  async purge(name: string, { usersLeave }: { readonly usersLeave: boolean }, actor: string): Promise<string> {
    const roomId = await this.#roomIdOf(name);
    if (!(await ROOMS.has(this.views, [roomId])))
      throw new MatrixError('M_NOT_FOUND', `This server has no room ${name}`);
    if (!usersLeave && (await OWN_STAYS.scan(this.views, { prefix: [roomId, 'in'], limit: 1 })).length > 0) {
      throw new MatrixError('M_FORBIDDEN', `Somebody of this server is in ${name}, or invited, or knocks`);
    }
    const leave = usersLeave ? { users_leave: true as const } : {};
    return this.purges.order({ room_id: roomId, because: 'operator', ...leave }, actor);
  }

  /** Those that were ordered, the last first. */
  async listPurges(): Promise<Purge[]> {
    return [...(await this.purges.load()).purges.values()].toReversed();
  }

  async findPurge(id: string): Promise<Purge | undefined> {
    return (await this.purges.load()).purges.get(id);
  }

  /** Keeps a room, also one that is not here yet. Answers which. */
  async hold(name: string, reason: string | undefined): Promise<RoomId> {
    const roomId = await this.#roomIdOf(name);
    await this.purges.hold({ room_id: roomId, ...(reason === undefined ? {} : { reason }) });
    return roomId;
  }

  /** Throws M_NOT_FOUND for a room that is not held. */
  async release(name: string): Promise<RoomId> {
    const roomId = await this.#roomIdOf(name);
    if (!(await this.purges.release(roomId))) throw new MatrixError('M_NOT_FOUND', `${name} is not held`);
    return roomId;
  }

  async listHeld(): Promise<Held[]> {
    return [...(await this.purges.load()).held.values()];
  }

  /** Which rooms nobody of this server is in, those first that have been so the longest; a thousand at most. */
  async listDeserted(): Promise<DesertedRoom[]> {
    const { held } = await this.purges.load();
    const rows = await DESERTED_ROOMS.scan(this.views, { limit: MOST_TOLD });
    const rooms = await ROOMS.getMany(
      this.views,
      rows.map(({ key: [, roomId] }) => [roomId]),
    );
    return rows.map(({ key: [since, room] }, i) => {
      const name = rooms[i]?.name;
      return { room, ...(name === undefined ? {} : { name }), since: Number(since), isHeld: held.has(room) };
    });
  }

  async #roomIdOf(name: string): Promise<RoomId> {
    if (name.startsWith('!')) return name as RoomId; // whatever it says, a room is looked for by it
    if (!isRoomAlias(name)) throw new MatrixError('M_INVALID_PARAM', `${name} is no room: !id or #alias:server`);
    const roomId = await this.aliases.resolve(name as RoomAlias);
    if (roomId === undefined) throw new MatrixError('M_NOT_FOUND', `This server has no alias ${name}`);
    return roomId;
  }
}
