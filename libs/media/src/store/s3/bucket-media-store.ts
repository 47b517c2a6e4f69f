import { rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '#kernel/clock';
import { contentPlace, derivedPlace } from '../content-places.js';
import { IncomingFiles } from '../files/incoming-files.js';
import {
  type ByteRange,
  type ContentHash,
  isContentHash,
  type MediaStore,
  type OpenContent,
  type ReceivedContent,
} from '../media-store.js';
import type { Bucket } from './bucket.js';

const OWNER = 'annals-server';
const START_WITHIN_MS = 5_000;

/** The bucket is of another server, which would lose its media. */
export class BucketOfAnother extends Error {
  constructor(owner: string) {
    super(`the bucket holds the media of ${owner}`);
    this.name = 'BucketOfAnother';
  }
}

/**
 * Content in a bucket, in the same places as in files. What is received is in a folder of this machine until it is whole and its hash is
 * known; then it goes to the bucket, where an object is there whole or not at all.
 */
export class BucketMediaStore implements MediaStore {
  readonly #incoming: IncomingFiles;
  /** Settles once it is known that the bucket is ours. */
  #claiming: Promise<void> | undefined;

  constructor(
    private readonly bucket: Bucket,
    folder: string,
    private readonly serverName: string,
  ) {
    this.#incoming = new IncomingFiles(folder);
  }

  /** Notes in the bucket whose it is: before anything is changed there, and once. Throws BucketOfAnother, StoreUnavailable. */
  claim(): Promise<void> {
    this.#claiming ??= this.#claim().catch((error: unknown) => {
      this.#claiming = undefined;
      throw error;
    });
    return this.#claiming;
  }

  async receive(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, maxBytes: number): Promise<ReceivedContent> {
    const { path, hash, bytes } = await this.#incoming.receive(source, maxBytes);
    const discard = (): Promise<void> => rm(path, { force: true });
    const keep = async (): Promise<void> => {
      await this.claim();
      if ((await this.sizeOf(hash)) !== bytes) await this.bucket.putFile(contentKey(hash), path, bytes);
    };
    return { hash, bytes, keep, discard };
  }

  async open(hash: ContentHash, range?: ByteRange): Promise<OpenContent | undefined> {
    return this.bucket.open(contentKey(hash), range);
  }

  async sizeOf(hash: ContentHash): Promise<number | undefined> {
    return this.bucket.sizeOf(contentKey(hash));
  }

  async delete(hash: ContentHash): Promise<boolean> {
    await this.claim();
    // First what was made of it: nobody would find that without it.
    let hadAny = false;
    for await (const key of this.bucket.list(`${derivedPlace(hash).join('/')}/`)) {
      await this.bucket.delete(key);
      hadAny = true;
    }
    if ((await this.sizeOf(hash)) === undefined) return hadAny;
    await this.bucket.delete(contentKey(hash));
    return true;
  }

  async *list(): AsyncGenerator<ContentHash, void> {
    await this.claim();
    for await (const key of this.bucket.list('content/')) yield* hashIn(key);
    yield* this.#listOrphans();
  }

  async keepDerived(hash: ContentHash, name: string, content: Uint8Array): Promise<void> {
    const key = derivedPlace(hash, name).join('/');
    await this.claim();
    await this.bucket.put(key, content);
  }

  async sizeOfDerived(hash: ContentHash): Promise<number> {
    let bytes = 0;
    for await (const object of this.bucket.listObjects(`${derivedPlace(hash).join('/')}/`)) bytes += object.bytes;
    return bytes;
  }

  async openDerived(hash: ContentHash, name: string): Promise<OpenContent | undefined> {
    return this.bucket.open(derivedPlace(hash, name).join('/'));
  }

  async discardLeftovers(untouchedMs = 0): Promise<void> {
    await this.#incoming.discard(untouchedMs);
    await soon(this.#endUploads(untouchedMs));
  }

  async #endUploads(untouchedMs: number): Promise<void> {
    const begun = systemClock.elapsed();
    await this.claim();
    // However long the bucket takes to answer, what this process has begun meanwhile goes on.
    await this.bucket.endUploads('content/', untouchedMs + systemClock.elapsed() - begun);
  }

  /** What was made of content that is gone is all there is of it. Both lists have the same order: so only what seems to be gone is asked for. */
  async *#listOrphans(): AsyncGenerator<ContentHash, void> {
    const contents = this.bucket.list('content/');
    let content = await contents.next();
    let last: ContentHash | undefined;
    for await (const key of this.bucket.list('derived/')) {
      const [hash] = hashIn(key);
      if (hash === undefined || hash === last) continue;
      last = hash;
      while (content.done !== true && content.value < contentKey(hash)) content = await contents.next();
      if (content.value !== contentKey(hash) && (await this.sizeOf(hash)) === undefined) yield hash;
    }
  }

  async #claim(): Promise<void> {
    const noted = await this.bucket.open(OWNER);
    if (noted === undefined) return this.bucket.put(OWNER, Buffer.from(this.serverName));
    const owner = await text(noted.stream);
    if (owner !== this.serverName) throw new BucketOfAnother(owner.slice(0, 255));
  }
}

/** A start waits for no bucket that does not answer: whatever is put there waits for the same. Throws what `work` throws by then. */
export async function soon(work: Promise<void>): Promise<void> {
  work.catch(() => {}); // what it throws later is told of as an outage
  await Promise.race([work, delay(START_WITHIN_MS, undefined, { ref: false })]);
}

const contentKey = (hash: ContentHash): string => contentPlace(hash).join('/');

/** Of the key of content or of what was made of it; none where somebody put something else there. */
function hashIn(key: string): ContentHash[] {
  const hash = key.split('/')[3] ?? '';
  return isContentHash(hash) ? [hash] : [];
}
