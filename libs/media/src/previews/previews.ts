import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import type { JsonObject } from '#kernel/json';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { type Asker, FairTurns } from '#kernel/fair-turns';
import { MatrixError } from '#kernel/matrix-error';
import { mxcOf } from '../media-id.js';
import { ReaderLost } from '../pictures/picture-reader.js';
import { type ContentHash, ContentTooLarge } from '../store/media-store.js';
import { previewId } from './preview-id.js';
import { MOST_IMAGE_BYTES, type PreviewImage, PreviewImages } from './preview-images.js';
import { decodePage, readPage } from './read-page.js';
import { type FoundPage, NothingThere, WebReader } from './web-reader.js';

const KB = 1024;
/** Of a page no more is read: what it says of itself stands at its beginning. */
const READ_OF_PAGE = 512 * KB;
const PAGE = /^(text\/html|application\/xhtml\+xml)\b/i;
const IMAGE = /^image\//i;
const KEPT_MS = 60 * 60_000;
/** What was not there may be soon. */
const NOTHING_KEPT_MS = 5 * 60_000;
const KEPT = 5_000;
const KEPT_WEIGHT = 8 * KB * KB;
const AT_ONCE = 8;
const MOST_WAITING = 100;
const MOST_WAITING_OF_ONE = 20;

/** What is told of an address; undefined: there was nothing. */
interface Told {
  readonly about: JsonObject | undefined;
  readonly until: number;
  /** The picture that is in it. */
  readonly image?: ContentHash;
}

/** What came of looking at an address, and for how long it is told. */
interface Made<T = JsonObject> {
  readonly about: T;
  readonly forMs: number;
  readonly image?: ContentHash;
}

/** There is something, which says nothing that is told. */
const NOTHING_SAID: Made = Object.freeze({ about: {}, forMs: KEPT_MS });

/** What pages that users link to say of themselves: client-server API, "GET /_matrix/client/v1/media/preview_url". Nothing of it is in the log. */
@Injectable()
export class Previews {
  readonly #told = new LruCache<string, Told>(KEPT, {
    most: KEPT_WEIGHT,
    weigh: ({ about }) => KB + JSON.stringify(about ?? {}).length,
  });
  /** By the address. */
  readonly #turns = new FairTurns<JsonObject | undefined>({
    atOnce: AT_ONCE,
    mostOfOne: MOST_WAITING_OF_ONE,
    mostOfAll: MOST_WAITING,
    refusal: 'Too many previews wait to be made',
  });

  constructor(
    private readonly web: WebReader,
    private readonly images: PreviewImages,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'previews'>,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#told.numbers;
  }

  /**
   * What is at an address, as it is now or was an hour ago at most. Throws M_UNRECOGNIZED where previews are off, M_INVALID_PARAM for what is no address, or
   * one that is not looked at, M_NOT_FOUND where there is nothing, M_LIMIT_EXCEEDED where too many wait already, the reason of the signal, and what the
   * store of media throws.
   */
  async find(text: string, asker: Asker): Promise<JsonObject> {
    if (!this.config.previews.isOn) throw new MatrixError('M_UNRECOGNIZED');
    const address = this.web.addressOf(text);
    if (address === undefined) throw new MatrixError('M_INVALID_PARAM', 'There are no previews of such addresses');
    const told = this.#told.get(address.href);
    const about = this.#holds(told) ? told.about : await this.#readOnce(address, asker);
    if (about === undefined) throw new MatrixError('M_NOT_FOUND', 'Nothing was found there');
    return about;
  }

  /** Others' pictures may have taken the place of the one that it tells of. */
  #holds(told: Told | undefined): told is Told {
    if (told === undefined || told.until <= this.stopwatch.elapsed()) return false;
    return told.image === undefined || this.images.has(told.image);
  }

  #readOnce(address: URL, asker: Asker): Promise<JsonObject | undefined> {
    const { href } = address;
    return this.#turns.once(href, asker, async () => {
      const { about, forMs, image } = await this.#read(address);
      this.#told.set(href, { about, image, until: this.stopwatch.elapsed() + forMs });
      return about;
    });
  }

  async #read(address: URL): Promise<Made<JsonObject | undefined>> {
    try {
      return await this.web.read(address, MOST_IMAGE_BYTES, (found) => this.#describe(found));
    } catch (error) {
      if (error instanceof NothingThere || error instanceof ContentTooLarge)
        return { about: undefined, forMs: NOTHING_KEPT_MS };
      throw error;
    }
  }

  async #describe(found: FoundPage): Promise<Made> {
    const { url, contentType = '', body } = found;
    if (IMAGE.test(contentType)) return this.#keepImage(body);
    if (!PAGE.test(contentType)) return NOTHING_SAID;
    const { properties, image, base } = await readPage(decodePage(await startOf(body), contentType));
    const from = (base === undefined ? undefined : this.web.addressOf(base, url)) ?? url;
    const picture = image === undefined ? NOTHING_SAID : await this.#fetchImage(image, from);
    return { ...picture, about: { ...properties, ...picture.about } };
  }

  /** A preview is as good without its picture. */
  async #fetchImage(image: string, from: URL): Promise<Made> {
    const address = this.web.addressOf(image, from);
    if (address === undefined) return NOTHING_SAID;
    try {
      return await this.web.read(address, MOST_IMAGE_BYTES, ({ body }) => this.#keepImage(body));
    } catch (error) {
      if (error instanceof NothingThere || error instanceof ContentTooLarge) return NOTHING_SAID;
      throw error;
    }
  }

  /** Nothing, for a short while, where no pictures can be read now. */
  async #keepImage(body: AsyncIterable<Uint8Array>): Promise<Made> {
    let image: PreviewImage | undefined;
    try {
      image = await this.images.keep(body);
    } catch (error) {
      const isBusy = error instanceof MatrixError && error.errcode === 'M_LIMIT_EXCEEDED';
      if (!isBusy && !(error instanceof ReaderLost)) throw error;
      return { about: {}, forMs: NOTHING_KEPT_MS };
    }
    if (image === undefined) return NOTHING_SAID;
    const { hash, bytes, type, width, height } = image;
    const about = {
      'og:image': mxcOf({ server: this.config.serverName, mediaId: previewId(hash) }),
      'og:image:type': type,
      'og:image:width': width,
      'og:image:height': height,
      'matrix:image:size': bytes,
    };
    return { about, forMs: KEPT_MS, image: hash };
  }
}

/** As much of a page as is read. */
async function startOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= READ_OF_PAGE) break;
  }
  return Buffer.concat(pieces).subarray(0, READ_OF_PAGE);
}
