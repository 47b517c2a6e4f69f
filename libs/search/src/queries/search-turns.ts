import { Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';

/** So many searches of one user are under way or wait for those before them. */
export const MOST_AT_ONCE = 16;
const RETRY_AFTER_MS = 1_000;

/** The searches of each user, one at a time: who asks for many at once takes no more of the server than who asks for one. */
@Injectable()
export class SearchTurns {
  readonly #turns = new KeyedQueue<UserId>();
  readonly #asked = new Map<UserId, number>();

  /** Searches once all earlier searches of the user have ended. Throws what that throws, and M_LIMIT_EXCEEDED where too many wait. */
  async run<T>(userId: UserId, search: () => Promise<T>): Promise<T> {
    const before = this.#asked.get(userId) ?? 0;
    if (before >= MOST_AT_ONCE)
      throw new MatrixError('M_LIMIT_EXCEEDED', undefined, { fields: { retry_after_ms: RETRY_AFTER_MS } });
    this.#asked.set(userId, before + 1);
    try {
      return await this.#turns.run(userId, search);
    } finally {
      const left = this.#asked.get(userId)! - 1;
      if (left > 0) this.#asked.set(userId, left);
      else this.#asked.delete(userId);
    }
  }
}
