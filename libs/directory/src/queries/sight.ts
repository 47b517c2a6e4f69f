import type { ReadableProfiles } from '#accounts/reading/readable-profiles';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MEMBERS, ROOM_COUNTS, ROOM_MEMBERS, USER_ROOMS } from '#rooms/projections/membership.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { listJoinedRooms } from '#rooms/queries/list-user-rooms';
import { isServerIn } from '#rooms/reading/server-standing';

/** What a reader may see of somebody. */
export interface SeenUser {
  readonly userId: UserId;
  readonly name?: string;
  readonly avatar?: string;
  /** The reader shares a room with them. */
  readonly isMate: boolean;
}

/** The most rows that are read about who is in which room: some users are in thousands of rooms. */
const PATIENCE = 5_000;
const PAGE = 500;

/**
 * Whom a user may find, and what they are shown of them, for the length of one search: client-server API, "User Directory". Who
 * shares a room with the reader, and who is in a room that is here with the join rule `public` or the history visibility `world_readable`.
 */
export class Sight {
  readonly #shared = new Map<UserId, RoomId>();
  readonly #public = new Map<RoomId, boolean>();
  #rooms: Promise<ReadonlySet<RoomId>> | undefined;
  #patience = PATIENCE;

  constructor(
    private readonly views: Views,
    private readonly profiles: Pick<ReadableProfiles, 'find'>,
    private readonly reader: UserId,
  ) {}

  /** So much was read that the search had better end. */
  get isTired(): boolean {
    return this.#patience <= 0;
  }

  /** What the reader may see of somebody; undefined where they may not find them. */
  async find(userId: UserId): Promise<SeenUser | undefined> {
    const room = await this.#findRoom(userId);
    if (room === undefined) return undefined;
    const [profile, member] = await Promise.all([
      this.profiles.find(userId, this.reader, room.isShared),
      MEMBERS.get(this.views, [room.roomId, userId]),
    ]);
    // The profiles of other servers' users are theirs: what is known here is what they are called in the room.
    const { displayname, avatar_url: avatar } = profile ?? { ...member };
    return { userId, name: textOf(displayname), avatar: textOf(avatar), isMate: room.isShared };
  }

  /** Whom the reader shares a room with; the members of as many rooms, the smallest first, as have no more than so many. */
  async listMates(most: number): Promise<UserId[]> {
    const rooms = [...(await this.#readRooms())];
    const counts = await ROOM_COUNTS.getMany(
      this.views,
      rooms.map((roomId) => [roomId]),
    );
    const sized = rooms.map((roomId, i) => ({ roomId, joined: counts[i]?.joined ?? 0 }));
    let left = most;
    for (const { roomId, joined } of sized.toSorted((a, b) => a.joined - b.joined)) {
      left -= joined;
      if (left < 0) break;
      const members = await ROOM_MEMBERS.scan(this.views, { prefix: [roomId, 'join'], limit: most });
      for (const { key } of members) this.#shared.set(key[2], roomId);
    }
    this.#shared.delete(this.reader);
    return [...this.#shared.keys()];
  }

  /** A room by which the reader may find somebody, one that they share before any other. */
  async #findRoom(userId: UserId): Promise<{ readonly roomId: RoomId; readonly isShared: boolean } | undefined> {
    const known = this.#shared.get(userId);
    if (known !== undefined) return { roomId: known, isShared: true };
    const own = userId === this.reader ? undefined : await this.#readRooms();
    let open: RoomId | undefined;
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [userId] }, PAGE)) {
      this.#patience -= page.length;
      const joined = page.filter(({ value }) => value.membership === 'join').map(({ key }) => key[1]);
      const shared = own && joined.find((roomId) => own.has(roomId));
      if (shared !== undefined) return { roomId: shared, isShared: true };
      open ??= await this.#findOpen(joined);
      if (this.isTired) break;
    }
    return open && { roomId: open, isShared: false };
  }

  async #findOpen(rooms: readonly RoomId[]): Promise<RoomId | undefined> {
    const asked = rooms.filter((roomId) => !this.#public.has(roomId));
    this.#patience -= asked.length;
    const summaries = await ROOMS.getMany(
      this.views,
      asked.map((roomId) => [roomId]),
    );
    for (const [i, roomId] of asked.entries()) {
      const { join_rule: rule, history_visibility: visibility } = summaries[i] ?? {};
      const isOpen = rule === 'public' || visibility === 'world_readable';
      // What is known here of a room that this server is in no more is of the past.
      this.#public.set(roomId, isOpen && (await isServerIn(this.views, roomId, serverNameOf(this.reader))));
    }
    return rooms.find((roomId) => this.#public.get(roomId));
  }

  #readRooms(): Promise<ReadonlySet<RoomId>> {
    return (this.#rooms ??= listJoinedRooms(this.views, this.reader).then((ids) => new Set(ids)));
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
