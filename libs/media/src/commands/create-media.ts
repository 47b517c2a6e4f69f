import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { BY_SERVER, causeOf } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { decideExpire, decideReserve } from '../decide/media.js';
import { type MediaRef, newMediaId } from '../media-id.js';
import { MediaLog } from '../media-log.js';
import { RESERVED_MEDIA } from '../projections/media.projector.js';

/** So many media may wait for their content at once, of one user. */
const MOST_RESERVED = 100;
/** Client-server API, "POST /_matrix/media/v1/create": for who has to find a better connection first. */
const LIFETIME_MS = 24 * 60 * 60_000;

/** A medium that is to be uploaded. */
export interface ReservedMedia {
  readonly media: MediaRef;
  /** Until when, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Gives an id to what a user is about to upload. Throws M_LIMIT_EXCEEDED where too much of what they reserved waits for its content. */
export class CreateMedia {
  constructor(readonly requester: Requester) {}
}

@CommandHandler(CreateMedia)
export class CreateMediaHandler implements ICommandHandler<CreateMedia> {
  /** What a user reserves at once is counted one after another. */
  readonly #turns = new KeyedQueue<UserId>();

  constructor(
    private readonly log: MediaLog,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  execute({ requester }: CreateMedia): Promise<ReservedMedia> {
    const { userId } = requester;
    return this.#turns.run(userId, async () => {
      const now = this.clock.now();
      await this.#countReserved(userId, now);
      const media = { server: this.config.serverName, mediaId: newMediaId() };
      const expiresAt = now + LIFETIME_MS;
      const reserved = { by: userId, expires_at: expiresAt };
      await this.log.change(media, (state, exists) => decideReserve(state, exists, reserved), causeOf(requester));
      return { media, expiresAt };
    });
  }

  /** Ends those that nobody used in time: so there are never more of a user than may wait. Throws M_LIMIT_EXCEEDED. */
  async #countReserved(userId: UserId, now: number): Promise<void> {
    const reserved = await RESERVED_MEDIA.scan(this.views, { prefix: [userId], limit: MOST_RESERVED });
    let next = Infinity;
    let waiting = 0;
    for (const { key, value: expiresAt } of reserved) {
      if (expiresAt > now) {
        waiting++;
        next = Math.min(next, expiresAt);
        continue;
      }
      const media = { server: this.config.serverName, mediaId: key[1] };
      await this.log.change(media, (state) => decideExpire(state, now), BY_SERVER);
    }
    if (waiting < MOST_RESERVED) return;
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Upload what you have reserved first', {
      fields: { retry_after_ms: next - now },
    });
  }
}
