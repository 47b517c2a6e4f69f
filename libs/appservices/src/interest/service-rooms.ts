import type { AppService } from '#config/appservices/app-service';
import { ROOM_ALIASES } from '#directory/projections/directory.projector';
import type { RoomId, UserId } from '#kernel/ids';
import { LruCache } from '#kernel/lru-cache';
import type { Place } from '#kernel/position';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import { boundUpTo } from '#read-models/place-bounds';
import { MEMBERSHIP_LOG } from '#rooms/projections/membership-log';
import { ROOM_MEMBERS } from '#rooms/projections/membership.projector';
import type { CurrentStateEvent } from '#rooms/projections/room-fact-reader';

/** How many rooms are remembered for a service. */
const CAPACITY = 10_000;
/** So many members are looked up at once. */
const AT_ONCE = 100;

/**
 * Which rooms an application service hears of, as of the place of the log up to which it is followed: where one of its users is joined
 * then, however far the views are. Aliases count as they are now.
 */
export class ServiceRooms {
  readonly #joined = new LruCache<RoomId, Set<UserId>>(CAPACITY);
  readonly #aliased = new LruCache<RoomId, boolean>(CAPACITY);

  constructor(
    private readonly service: AppService,
    private readonly views: Pick<Views, 'scan'>,
  ) {}

  /** Whether it hears of what is in a room at a place of the log, which is that up to which it is followed. Throws ViewsUnavailable. */
  async hears(roomId: RoomId, place: Place): Promise<boolean> {
    if (this.service.hasRoom(roomId)) return true;
    const users = this.#joined.get(roomId) ?? (await this.#read(roomId, place));
    return users.size > 0 || this.#isAliased(roomId);
  }

  /** Members of a room changed by a fact, behind which it is followed. */
  follow(roomId: RoomId, members: readonly CurrentStateEvent[]): void {
    const users = this.#joined.get(roomId);
    if (users === undefined) return;
    for (const { change, content } of members) {
      const userId = change.state_key as UserId; // as far as anybody asks for it
      if (content['membership'] !== 'join') users.delete(userId);
      else if (this.service.hasUser(userId)) users.add(userId);
    }
  }

  /** An alias of a room came or went. */
  forgetAliases(roomId: RoomId): void {
    this.#aliased.delete(roomId);
  }

  /** PERF: once for each room; after that who is in it is followed. */
  async #read(roomId: RoomId, place: Place): Promise<Set<UserId>> {
    const users = new Set<UserId>();
    const turn = new Turn(1);
    for await (const page of ROOM_MEMBERS.pages(this.views, { prefix: [roomId] })) {
      if (turn.isOver()) await turn.pass();
      const ours = page.map(({ key }) => key[2]).filter((userId) => this.service.hasUser(userId));
      for (let at = 0; at < ours.length; at += AT_ONCE) {
        const some = ours.slice(at, at + AT_ONCE);
        const were = await Promise.all(some.map((userId) => this.#wasJoined(roomId, userId, place)));
        some.forEach((userId, i) => were[i] === true && users.add(userId));
        if (turn.isOver()) await turn.pass();
      }
    }
    this.#joined.set(roomId, users);
    return users;
  }

  async #wasJoined(roomId: RoomId, userId: UserId, place: Place): Promise<boolean> {
    const prefix = [roomId, userId] as const;
    const range = { prefix, ...boundUpTo(prefix, place), reverse: true, limit: 1 } as const;
    const [last] = await MEMBERSHIP_LOG.scan(this.views, range);
    return last?.value.membership === 'join';
  }

  async #isAliased(roomId: RoomId): Promise<boolean> {
    if (this.service.namespaces.aliases.length === 0) return false;
    let found = this.#aliased.get(roomId);
    if (found !== undefined) return found;
    found = false;
    for await (const page of ROOM_ALIASES.pages(this.views, { prefix: [roomId] })) {
      found ||= page.some(({ value }) => this.service.hasAlias(value));
    }
    this.#aliased.set(roomId, found);
    return found;
  }
}
