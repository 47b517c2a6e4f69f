import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { limitExceeded, mediaLimit } from '#kernel/account-limits';
import type { UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { MEDIA_USE } from '../projections/media.projector.js';

/** How much users may upload. */
@Injectable()
export class UploadLimits {
  /** What a user uploads at once is counted one after another. */
  readonly #turns = new KeyedQueue<UserId>();
  /** How many bytes of a user are being received. */
  readonly #coming = new Map<UserId, number>();

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'media'>,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** The largest file that is taken. */
  get maxBytes(): number {
    return this.config.media.maxBytes;
  }

  /** Throws M_TOO_LARGE. */
  checkSize(bytes: number): void {
    if (!(bytes <= this.maxBytes)) throw this.tooLarge();
  }

  tooLarge(): MatrixError {
    return new MatrixError('M_TOO_LARGE', `A file may have ${this.maxBytes} bytes at most`);
  }

  /** Throws M_USER_LIMIT_EXCEEDED where a user would have uploaded more than they may: client-server API, "Security considerations" of the content repository. */
  async checkQuota(userId: UserId, more: number): Promise<void> {
    const { quotaBytes } = this.config.media;
    if (quotaBytes === undefined) return;
    if ((await this.#used(userId)) + more > quotaBytes) throw tooMuch(quotaBytes);
  }

  /**
   * What a user sends, as it comes: however many uploads of theirs come at once, and whatever is said of their lengths, there is no more of it here
   * than they may have. Throws M_USER_LIMIT_EXCEEDED where more comes.
   */
  within(userId: UserId, stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const { quotaBytes } = this.config.media;
    return quotaBytes === undefined ? stream : this.#counted(userId, stream, quotaBytes);
  }

  async *#counted(
    userId: UserId,
    stream: AsyncIterable<Uint8Array>,
    quotaBytes: number,
  ): AsyncGenerator<Uint8Array, void> {
    const used = await this.#used(userId);
    let bytes = 0;
    const count = (more: number): number => {
      bytes += more;
      const coming = (this.#coming.get(userId) ?? 0) + more;
      if (coming === 0) this.#coming.delete(userId);
      else this.#coming.set(userId, coming);
      return coming;
    };
    try {
      for await (const piece of stream) {
        if (used + count(piece.length) > quotaBytes) throw tooMuch(quotaBytes);
        yield piece;
      }
    } finally {
      count(-bytes);
    }
  }

  async #used(userId: UserId): Promise<number> {
    return (await MEDIA_USE.get(this.views, [userId]))?.bytes ?? 0;
  }

  /** Counts an upload among those of its user, then does what makes it one. Throws M_USER_LIMIT_EXCEEDED, and what that throws. */
  upload<T>(userId: UserId, bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.config.media.quotaBytes === undefined) return work();
    return this.#turns.run(userId, async () => {
      await this.checkQuota(userId, bytes);
      return work();
    });
  }
}

function tooMuch(quotaBytes: number): MatrixError {
  return limitExceeded('media', mediaLimit(quotaBytes));
}
