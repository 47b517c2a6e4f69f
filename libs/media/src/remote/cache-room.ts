import { Inject, Injectable } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import { SharedRuns } from '#kernel/shared-runs';
import { VIEWS, type Views } from '#projections/views';
import { decideDrop } from '../decide/media.js';
import { KeptContent } from '../kept-content.js';
import type { MediaRef } from '../media-id.js';
import { MediaLog } from '../media-log.js';
import { CACHED_MEDIA, dayOf, MEDIA } from '../projections/media.projector.js';

/** So much of the bound is left once room was made: else each medium more would make some. */
const KEPT = 0.9;

/**
 * Keeps other servers' media within their bound: those go first for which nobody has asked the longest. What is in quarantine stays, for who
 * has to look into it, and does not count.
 */
@Injectable()
export class CacheRoom {
  /** What is there, and what came since it was counted, which may count twice; undefined until it is counted. */
  #bytes: number | undefined;
  readonly #runs = new SharedRuns(() => this.#makeRoom());

  constructor(
    private readonly log: MediaLog,
    private readonly kept: KeptContent,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'media'>,
  ) {}

  /** Counts a medium that came, and lets others go where that is too much. */
  async add(bytes: number): Promise<void> {
    if (this.#bytes !== undefined) this.#bytes += bytes;
    if (this.#bytes === undefined || this.#bytes > this.config.media.cacheBytes) await this.#runs.run();
  }

  /** Lets media go for which nobody has asked since a day. Answers how many. */
  async dropBefore(day: number): Promise<number> {
    let dropped = 0;
    for await (const page of CACHED_MEDIA.pages(this.views, {})) {
      for (const { key } of page) {
        const [seen, server, mediaId] = key;
        if (dayOf(Number(seen)) >= day) return dropped;
        if (await this.#drop({ server, mediaId })) dropped++;
      }
    }
    return dropped;
  }

  async #makeRoom(): Promise<void> {
    const { cacheBytes } = this.config.media;
    let bytes = 0;
    for await (const page of CACHED_MEDIA.pages(this.views, {})) {
      for (const { value } of page) bytes += value;
    }
    this.#bytes = bytes;
    if (bytes <= cacheBytes) return;
    for await (const page of CACHED_MEDIA.pages(this.views, {})) {
      for (const { key, value } of page) {
        if (bytes <= cacheBytes * KEPT) return;
        const [, server, mediaId] = key;
        await this.#drop({ server, mediaId });
        bytes -= value;
        this.#bytes = bytes;
      }
    }
  }

  /** Answers whether it went. */
  async #drop(media: MediaRef): Promise<boolean> {
    const { sha256 } = (await MEDIA.get(this.views, [media.server, media.mediaId])) ?? {};
    if (sha256 !== undefined && (await this.kept.isQuarantined(sha256))) return false;
    return this.log.change(media, decideDrop, BY_SERVER);
  }
}
