import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
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

  /** Throws M_FORBIDDEN where a user would have uploaded more than they may: client-server API, "Security considerations" of the content repository. */
  async checkQuota(userId: UserId, more: number): Promise<void> {
    const { quotaBytes } = this.config.media;
    if (quotaBytes === undefined) return;
    const { bytes = 0 } = (await MEDIA_USE.get(this.views, [userId])) ?? {};
    if (bytes + more > quotaBytes) throw new MatrixError('M_FORBIDDEN', `You may upload ${quotaBytes} bytes in all`);
  }

  /** Counts an upload among those of its user, then does what makes it one. Throws M_FORBIDDEN, and what that throws. */
  upload<T>(userId: UserId, bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.config.media.quotaBytes === undefined) return work();
    return this.#turns.run(userId, async () => {
      await this.checkQuota(userId, bytes);
      return work();
    });
  }
}
