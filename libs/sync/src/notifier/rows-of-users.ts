import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import type { ActiveUser } from './active-user.js';

const PAGE = 1_000;

/**
 * Reads the rooms of active users from the views. Those may be behind what is heard, as where they were paused over a start: then
 * they are read again as they move, for nobody tells of what they pass.
 */
export class RowsOfUsers {
  /** How far they were, of users whose rooms were read where they were behind. */
  readonly #behind = new WeakMap<ActiveUser, Position>();

  /** `onRead`: whether a user is in a room by now. */
  constructor(
    private readonly views: Pick<Views, 'position' | 'scan'>,
    private readonly onRead: (user: ActiveUser, roomId: RoomId, isIn: boolean) => void,
  ) {}

  async read(user: ActiveUser): Promise<void> {
    const position = this.#position;
    for await (const rows of USER_ROOMS.pages(this.views, { prefix: [user.userId] }, PAGE)) {
      for (const { key, value } of rows) this.onRead(user, key[1], user.load(key[1], value));
    }
    if (position < user.since) this.#behind.set(user, position);
    else this.#behind.delete(user);
  }

  /** Settles when no rows are there that the user's rooms lack. */
  async catchUp(user: ActiveUser): Promise<void> {
    for (let at = this.#behind.get(user); at !== undefined && this.#position > at; at = this.#behind.get(user)) {
      await this.read(user);
    }
  }

  get #position(): Position {
    return this.views.position([USER_ROOMS.name]);
  }
}
