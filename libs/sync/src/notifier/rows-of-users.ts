import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { USER_ROOMS } from '#rooms/projections/membership.projector';
import type { ActiveUser } from './active-user.js';

const PAGE = 1_000;

/** Of a user whose rooms were read where the views were behind what was heard. */
interface Behind {
  /** How far they were. */
  readonly at: Position;
  /** They are read again. */
  reading: Promise<void> | undefined;
}

/**
 * Reads the rooms of active users from the views. Those may be behind what is heard, as where they were paused over a start: nobody tells
 * of what they pass until they have that, so then they are read once more, and until then the user's rooms are known up to there.
 */
export class RowsOfUsers {
  readonly #behind = new WeakMap<ActiveUser, Behind>();

  /** `onRead`: whether a user is in a room by now. */
  constructor(
    private readonly views: Pick<Views, 'position' | 'scan'>,
    private readonly onRead: (user: ActiveUser, roomId: RoomId, isIn: boolean) => void,
  ) {}

  async read(user: ActiveUser): Promise<void> {
    const at = this.#position;
    for await (const rows of USER_ROOMS.pages(this.views, { prefix: [user.userId] }, PAGE)) {
      for (const { key, value } of rows) this.onRead(user, key[1], user.load(key[1], value));
    }
    if (at < user.since) this.#behind.set(user, { at, reading: undefined });
    else this.#behind.delete(user);
  }

  /** Reads what was missing, where it is all there. */
  async catchUp(user: ActiveUser): Promise<void> {
    const behind = this.#behind.get(user);
    if (behind === undefined || this.#position < user.since) return;
    behind.reading ??= this.read(user).finally(() => (behind.reading = undefined));
    await behind.reading;
  }

  /** Up to where a user's rooms are known; undefined: as far as was heard. */
  knownUpTo(user: ActiveUser): Position | undefined {
    return this.#behind.get(user)?.at;
  }

  get #position(): Position {
    return this.views.position([USER_ROOMS.name]);
  }
}
