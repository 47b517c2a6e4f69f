import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { KeptContent } from './kept-content.js';
import type { MediaRef } from './media-id.js';
import { isHere, MEDIA, type MediaHere, type MediaRow } from './projections/media.projector.js';
import { RemoteCache } from './remote/remote-cache.js';
import { SeenMedia } from './seen-media.js';
import { MediaArrivals } from './uploads/media-arrivals.js';

export interface FindOptions {
  /** For how long to wait for content that was not uploaded yet. */
  readonly timeoutMs: number;
  /** For whom the server of the medium is asked for it, where it is not here; for nobody unless told. */
  readonly remoteFor?: UserId;
}

/** Finds what somebody asks for: the one place that says whether a medium may be given out. */
@Injectable()
export class MediaFinder {
  constructor(
    private readonly arrivals: MediaArrivals,
    private readonly remote: RemoteCache,
    private readonly kept: KeptContent,
    private readonly seen: SeenMedia,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /**
   * The medium, once its content is here. Throws M_NOT_FOUND where there is none, it was deleted, or its content is in quarantine;
   * M_NOT_YET_UPLOADED; and what fetching it from its server throws (MediaFetcher).
   */
  async find(media: MediaRef, options: FindOptions): Promise<MediaHere> {
    const found =
      media.server === this.config.serverName ? await this.#own(media, options) : await this.#others(media, options);
    if (await this.kept.isQuarantined(found.sha256)) throw new MatrixError('M_NOT_FOUND');
    this.seen.note(media, found);
    return found;
  }

  /**
   * The same once more, where its content turned out not to be in the store: another process has it, or it was lost. What is of another
   * server is fetched from there again. Throws as `find`.
   */
  async findAgain(media: MediaRef, options: FindOptions): Promise<MediaHere> {
    const { remoteFor, timeoutMs } = options;
    if (media.server === this.config.serverName || remoteFor === undefined) throw new MatrixError('M_NOT_FOUND');
    await this.remote.bring(media, remoteFor, timeoutMs);
    return this.find(media, options);
  }

  async #own(media: MediaRef, { timeoutMs }: FindOptions): Promise<MediaHere> {
    const row = await this.arrivals.find(media, timeoutMs);
    const found = row ?? (await this.kept.findPreview(media.mediaId));
    if (!isHere(found)) throw new MatrixError('M_NOT_FOUND');
    return found;
  }

  async #others(media: MediaRef, { timeoutMs, remoteFor }: FindOptions): Promise<MediaHere> {
    const row = await this.#row(media);
    if (isHere(row)) return row;
    if (row?.deleted === true || remoteFor === undefined) throw new MatrixError('M_NOT_FOUND');
    await this.remote.bring(media, remoteFor, timeoutMs);
    const fetched = await this.#row(media);
    if (!isHere(fetched)) throw new MatrixError('M_NOT_FOUND');
    return fetched;
  }

  #row({ server, mediaId }: MediaRef): Promise<MediaRow | undefined> {
    return MEDIA.get(this.views, [server, mediaId]);
  }
}
