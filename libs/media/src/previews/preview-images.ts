import { Inject, Injectable, Logger } from '@nestjs/common';
import { type Clock, CLOCK, type Stopwatch } from '#kernel/clock';
import type { Asker } from '#kernel/fair-turns';
import { KeptContent } from '../kept-content.js';
import { Pictures } from '../pictures/pictures.js';
import type { DescribedPicture } from '../pictures/picture-job.js';
import { type ContentHash, MEDIA_STORE, type MediaStore } from '../store/media-store.js';

/** A picture of a preview. */
export interface PreviewImage extends Pick<DescribedPicture, 'type' | 'width' | 'height'> {
  readonly hash: ContentHash;
  readonly bytes: number;
}

const MB = 1024 * 1024;
/** Of one picture. */
export const MOST_IMAGE_BYTES = 10 * MB;
/** Of all that this process keeps: then those go that came first. */
const MOST_BYTES = 256 * MB;
const KEPT_MS = 24 * 60 * 60_000;

/** All that is previewed has one share of the pictures that are read: it waits for its own turns already. */
const ASKER: Asker = Object.freeze({ by: 'previews' });

/**
 * The pictures of previews. They are content that the log says nothing of, for users have as many made as they like: each is kept for a day,
 * as long as there is room, and until the next start, which frees what no medium has.
 */
@Injectable()
export class PreviewImages {
  readonly #log = new Logger('media');
  /** In the order of their coming. */
  readonly #kept = new Map<ContentHash, { readonly bytes: number; readonly until: number }>();
  #bytes = 0;

  constructor(
    private readonly kept: KeptContent,
    private readonly pictures: Pictures,
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
    @Inject(CLOCK) private readonly clock: Clock & Stopwatch,
  ) {}

  /** Whether a picture is kept still. */
  has(hash: ContentHash): boolean {
    return this.#kept.has(hash);
  }

  /** Keeps a picture; undefined where it is none, or none that is taken. Throws what reading it throws, and ContentTooLarge. */
  async keep(body: AsyncIterable<Uint8Array>): Promise<PreviewImage | undefined> {
    const received = await this.store.receive(body, MOST_IMAGE_BYTES);
    const { hash, bytes } = received;
    // Before it is there: else it could go for another one, because it came long ago.
    this.#note(hash, bytes);
    if (!(await this.kept.keepPreview(received))) {
      this.#forget(hash);
      return undefined;
    }
    const described = await this.pictures.once(`${hash}-size`, ASKER, (read) =>
      read(hash, { kind: 'describe', withBlurhash: false }),
    );
    if (described?.kind !== 'described') {
      this.#forget(hash);
      await this.kept.free(hash);
      return undefined;
    }
    await this.kept.notePreview(hash, described.type, this.clock.now() + KEPT_MS);
    const { type, width, height } = described;
    return { hash, bytes, type, width, height };
  }

  #note(hash: ContentHash, bytes: number): void {
    this.#forget(hash);
    const now = this.clock.elapsed();
    this.#kept.set(hash, { bytes, until: now + KEPT_MS });
    this.#bytes += bytes;
    for (const [old, { until }] of this.#kept) {
      if (this.#bytes <= MOST_BYTES && until > now) return;
      this.#forget(old);
      // Nobody waits for it; the next start frees what stays.
      void this.kept.free(old).catch((error: unknown) => this.#log.warn({ err: error }, 'a picture was not freed'));
    }
  }

  #forget(hash: ContentHash): void {
    this.#bytes -= this.#kept.get(hash)?.bytes ?? 0;
    this.#kept.delete(hash);
  }
}
