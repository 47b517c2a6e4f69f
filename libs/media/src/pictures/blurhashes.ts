import { Injectable, Logger } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { MediaFinder } from '../media-finder.js';
import type { MediaRef } from '../media-id.js';
import { Pictures } from './pictures.js';

/** Longer nobody waits for one who has uploaded something: it is there, and shown as well without. */
const WITHIN_MS = 5_000;
const TOO_LATE = new MatrixError('M_LIMIT_EXCEEDED', 'No blurhash was made in time');

/** Blurhashes of media (MSC2448), for clients that cannot make one. */
@Injectable()
export class Blurhashes {
  readonly #log = new Logger('media');

  constructor(
    private readonly finder: MediaFinder,
    private readonly pictures: Pictures,
  ) {}

  /** The blurhash of what a user has uploaded; undefined where none can be made of it, or not soon: nothing else depends on one. */
  async find(media: MediaRef, by: UserId): Promise<string | undefined> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(TOO_LATE), WITHIN_MS);
    try {
      const { sha256 } = await this.finder.find(media, { timeoutMs: 0 });
      const described = await this.pictures.once(`${sha256}-blurhash`, { by, signal: late.signal }, (read) =>
        read(sha256, { kind: 'describe', withBlurhash: true }),
      );
      return described?.kind === 'described' ? described.blurhash : undefined;
    } catch (error) {
      // That there is too much to do, or no store, is said elsewhere.
      if (!(error instanceof MatrixError)) this.#log.warn({ err: error }, 'no blurhash was made');
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}
