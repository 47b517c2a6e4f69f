import { Injectable, Logger } from '@nestjs/common';
import { MatrixError } from '#kernel/matrix-error';
import { MediaFinder } from '../media-finder.js';
import type { MediaRef } from '../media-id.js';
import { Pictures } from './pictures.js';

/** Blurhashes of media (MSC2448), for clients that cannot make one. */
@Injectable()
export class Blurhashes {
  readonly #log = new Logger('media');

  constructor(
    private readonly finder: MediaFinder,
    private readonly pictures: Pictures,
  ) {}

  /** The blurhash of a medium of this server; undefined where none can be made of it, or not now: nothing else depends on one. */
  async find(media: MediaRef): Promise<string | undefined> {
    try {
      const { sha256 } = await this.finder.find(media, { timeoutMs: 0, allowRemote: false });
      const described = await this.pictures.read(sha256, { kind: 'describe', withBlurhash: true });
      return described?.kind === 'described' ? described.blurhash : undefined;
    } catch (error) {
      // That there is too much to do, or no store, is said elsewhere.
      if (!(error instanceof MatrixError)) this.#log.warn({ err: error }, 'no blurhash was made');
      return undefined;
    }
  }
}
