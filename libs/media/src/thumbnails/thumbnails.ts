import { text } from 'node:stream/consumers';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { Asker } from '#kernel/fair-turns';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { KeptContent } from '../kept-content.js';
import { type FindOptions, MediaFinder } from '../media-finder.js';
import type { MediaRef } from '../media-id.js';
import type { PictureAnswer, Refusal } from '../pictures/picture-job.js';
import { ReaderLost } from '../pictures/picture-reader.js';
import { Pictures, type ReadPicture } from '../pictures/pictures.js';
import { type ContentHash, MEDIA_STORE, type MediaStore, type OpenContent } from '../store/media-store.js';
import { nameOf, roundUp, type WantedThumbnail } from './thumbnail-size.js';

/** A thumbnail that is given out. */
export interface Thumbnail extends OpenContent {
  readonly type: string;
  /** What browsers may call it. */
  readonly fileName: string;
  readonly etag: string;
}

/** How what was made is kept: behind its name. Of a picture that is its own thumbnail its type is. */
const ENDINGS = ['jpeg', 'png', 'webp', 'small'] as const;
type Ending = (typeof ENDINGS)[number];
const KNOWN = 20_000;
/** For so long nothing is tried again with content of which nothing could be made. */
const REFUSED_MS = 60 * 60_000;
/** Nor for so long where it took too long: a machine that is too busy for a picture may not be soon. */
const SLOW_MS = 5 * 60_000;
const REFUSED = 10_000;

/** Thumbnails of media: made when somebody asks for one the first time, once for all who do, and kept beside the content. */
@Injectable()
export class Thumbnails {
  readonly #log = new Logger('media');
  /** By hash and name: where to look first. */
  readonly #endings = new LruCache<string, Ending>(KNOWN);
  readonly #refused = new LruCache<ContentHash, { readonly until: number; readonly reason: Refusal }>(REFUSED);

  constructor(
    private readonly finder: MediaFinder,
    private readonly pictures: Pictures,
    private readonly kept: KeptContent,
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** For metrics, by name. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { thumbnails: this.#endings.numbers, 'refused-pictures': this.#refused.numbers };
  }

  /**
   * A thumbnail of a medium, to be read or destroyed. Throws as MediaFinder does; M_UNKNOWN (400) where there can be none of it, M_TOO_LARGE
   * (413, and 502 of another server's) where it is too large for one, M_LIMIT_EXCEEDED, and M_UNKNOWN (503) where none can be made now.
   */
  async find(media: MediaRef, wanted: WantedThumbnail, asker: Asker, options: FindOptions): Promise<Thumbnail> {
    const size = roundUp(wanted);
    const { sha256 } = await this.finder.find(media, options);
    const found =
      (await this.#of(media, sha256, size, asker)) ??
      (await this.#of(media, (await this.finder.findAgain(media, options)).sha256, size, asker));
    if (found === undefined) throw new MatrixError('M_NOT_FOUND');
    return found;
  }

  /** Undefined where the content is not in the store. */
  async #of(media: MediaRef, hash: ContentHash, size: WantedThumbnail, asker: Asker): Promise<Thumbnail | undefined> {
    const name = nameOf(size);
    const opened = await this.#open(hash, name);
    if (opened !== undefined) return opened;
    this.#checkRefused(media, hash);
    const answer = await this.pictures.once(keyOf(hash, name), asker, (read) => this.#make(read, hash, size));
    this.#checkRefused(media, hash);
    return answer && this.#open(hash, name);
  }

  async #open(hash: ContentHash, name: string): Promise<Thumbnail | undefined> {
    const key = keyOf(hash, name);
    const known = this.#endings.get(key);
    for (const ending of new Set(known === undefined ? ENDINGS : [known, ...ENDINGS])) {
      const opened = await this.store.openDerived(hash, `${name}.${ending}`);
      if (opened === undefined) continue;
      this.#endings.set(key, ending);
      const etag = `"${key}"`;
      if (ending !== 'small') return { ...opened, ...described(`image/${ending}`), etag };
      const type = await text(opened.stream);
      const whole = await this.store.open(hash);
      return whole && { ...whole, ...described(type), etag };
    }
    return undefined;
  }

  /** Undefined where the content is not there. */
  async #make(read: ReadPicture, hash: ContentHash, size: WantedThumbnail): Promise<PictureAnswer | undefined> {
    const answer = await this.#read(read, hash, size);
    const name = nameOf(size);
    if (answer?.kind === 'refused') {
      const { reason } = answer;
      const forMs = reason === 'too-slow' ? SLOW_MS : REFUSED_MS;
      this.#refused.set(hash, { until: this.stopwatch.elapsed() + forMs, reason });
    } else if (answer?.kind === 'made') {
      const { from, type, content } = answer;
      const isKept = await this.kept.keepDerived(hash, `${name}.${type.slice('image/'.length)}`, content);
      // Of one who asks for all there are the picture is its own thumbnail in the end.
      if (!isKept) await this.kept.noteDerived(hash, `${name}.small`, from);
    } else if (answer?.kind === 'small') {
      await this.kept.noteDerived(hash, `${name}.small`, answer.type);
    }
    return answer;
  }

  async #read(read: ReadPicture, hash: ContentHash, size: WantedThumbnail): Promise<PictureAnswer | undefined> {
    try {
      return await read(hash, { kind: 'thumbnail', ...size });
    } catch (error) {
      if (!(error instanceof ReaderLost)) throw error;
      this.#log.warn({ err: error }, 'no thumbnail was made');
      throw noneNow(error);
    }
  }

  /** Content of which nothing can be made is not read again for each who asks. */
  #checkRefused({ server }: MediaRef, hash: ContentHash): void {
    const refused = this.#refused.get(hash);
    if (refused === undefined || refused.until < this.stopwatch.elapsed()) return;
    if (refused.reason === 'too-slow') throw noneNow();
    if (refused.reason === 'unreadable') {
      throw new MatrixError('M_UNKNOWN', 'Cannot generate thumbnails for the requested content', { status: 400 });
    }
    const status = server === this.config.serverName ? 413 : 502;
    throw new MatrixError('M_TOO_LARGE', 'Content is too large to thumbnail', { status });
  }
}

function keyOf(hash: ContentHash, name: string): string {
  return `${hash}-${name}`;
}

function noneNow(cause?: unknown): MatrixError {
  return new MatrixError('M_UNKNOWN', 'No thumbnails can be made now', { status: 503, cause });
}

function described(type: string): Pick<Thumbnail, 'type' | 'fileName'> {
  return { type, fileName: `thumbnail.${type.slice('image/'.length)}` };
}
