import { open as openFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { setTimeout as delay } from 'node:timers/promises';
import { S3mini, S3ServiceError, type UploadPart } from 's3mini';
import { systemClock } from '#kernel/clock';
import { messageOf } from '#kernel/message-of';
import { Outage, type OutageWatch } from '#kernel/outage';
import { Slots } from '#kernel/slots';
import { type ByteRange, type OpenContent, StoreUnavailable } from '../media-store.js';

export interface BucketOptions {
  /** Its URL, with its name in the host or as the path. */
  readonly url: string;
  readonly keyId: string;
  readonly secret: string;
  readonly region: string;
}

const MB = 1024 * 1024;
/** What is larger goes up in parts of this size: so much of each is in memory. A bucket takes ten thousand of them, and none but the last below 5 MB. */
const PART_BYTES = 8 * MB;
const UPLOADS_AT_ONCE = 4;
const TRIES = 3;
const FIRST_PAUSE_MS = 200;
/** Until the head of an answer: a part has to go up in that time. */
const ANSWER_WITHIN_MS = 60_000;
const PAGE = 1000;
const WAY = 'bucket';
const CONTENT_RANGE = /^bytes (\d+)-\d+\/(\d+)$/;

/** A bucket of a store that speaks S3. What fails for want of it is tried again, and then thrown as StoreUnavailable. */
export class Bucket {
  readonly #client: S3mini;
  readonly #outage: Outage<typeof WAY>;
  readonly #uploads = new Slots(UPLOADS_AT_ONCE);

  constructor(
    { url, keyId: accessKeyId, secret: secretAccessKey, region }: BucketOptions,
    watch: OutageWatch = {},
    private readonly firstPauseMs = FIRST_PAUSE_MS,
  ) {
    const endpoint = url.replace(/\/+$/, '');
    this.#client = new S3mini({ accessKeyId, secretAccessKey, endpoint, region, fetch: fetchWithin(ANSWER_WITHIN_MS) });
    this.#outage = new Outage(watch);
  }

  /** How many bytes an object has; undefined where there is none. */
  sizeOf(key: string): Promise<number | undefined> {
    return this.#find(() => this.#client.getContentLength(key));
  }

  open(key: string, range?: ByteRange): Promise<OpenContent | undefined> {
    return this.#find(async () => {
      // As it counts, the range ends before the first byte that is not wanted.
      const { headers, body } = await (range === undefined
        ? this.#client.getObjectRaw(key)
        : this.#client.getObjectRaw(key, false, range.first, range.last + 1));
      const [, from = 0, total = headers.get('content-length')] =
        CONTENT_RANGE.exec(headers.get('content-range') ?? '') ?? [];
      const stream = body === null ? Readable.from([]) : Readable.fromWeb(body as ReadableStream);
      if (range === undefined) return { bytes: Number(total), stream };
      // Some give more than was asked for.
      const [skipped, length] = [range.first - Number(from), range.last - range.first + 1];
      const part = Readable.from(cut(stream, skipped, length), { objectMode: false });
      // Where nothing is read of it the generator never begins, and so never ends.
      part.once('close', () => stream.destroy());
      return { bytes: Number(total), stream: part };
    });
  }

  async put(key: string, content: Uint8Array): Promise<void> {
    await this.#try(() => this.#client.putObject(key, content, undefined, undefined, undefined, content.length));
  }

  /** Puts a file there: all of it is there then, or nothing. */
  async putFile(key: string, path: string, bytes: number): Promise<void> {
    await this.#uploads.run(async () => {
      const file = await openFile(path, 'r');
      try {
        const read = async (from: number): Promise<Buffer> => {
          const part = Buffer.allocUnsafe(Math.min(PART_BYTES, bytes - from));
          for (let at = 0; at < part.length;) {
            const { bytesRead } = await file.read(part, at, part.length - at, from + at);
            if (bytesRead === 0) throw new Error(`${path} has become shorter`);
            at += bytesRead;
          }
          return part;
        };
        await (bytes <= PART_BYTES ? this.put(key, await read(0)) : this.#putParts(key, bytes, read));
      } finally {
        await file.close();
      }
    });
  }

  async delete(key: string): Promise<void> {
    await this.#find(() => this.#client.deleteObject(key));
  }

  /** The keys that begin with a prefix; with the stores that are known, in their order. */
  async *list(prefix: string): AsyncGenerator<string, void> {
    for await (const { key } of this.listObjects(prefix)) yield key;
  }

  /** The same, and how many bytes each of them has. */
  async *listObjects(prefix: string): AsyncGenerator<{ readonly key: string; readonly bytes: number }, void> {
    let next: string | undefined;
    do {
      const page = await this.#find(() => this.#client.listObjectsPaged('/', prefix, PAGE, next));
      for (const { Key: key, Size } of page?.objects ?? []) yield { key, bytes: Number(Size) };
      next = page?.nextContinuationToken;
    } while (next !== undefined);
  }

  /** Ends uploads in parts that nobody goes on with, begun so long ago. */
  async endUploads(prefix: string, untouchedMs: number): Promise<void> {
    const found: unknown = await this.#find(() => this.#client.listMultipartUploads('/', '', 'GET', { prefix }));
    const { Upload = [] } = ((found as Record<string, unknown>)?.['ListMultipartUploadsResult'] ?? {}) as {
      readonly Upload?: unknown;
    };
    for (const one of [Upload].flat() as Readonly<Record<string, unknown>>[]) {
      const { Key, UploadId, Initiated } = one;
      const isOld = systemClock.now() - Date.parse(String(Initiated)) >= untouchedMs;
      if (isOld && typeof Key === 'string' && typeof UploadId === 'string') await this.#endUpload(Key, UploadId);
    }
  }

  async #putParts(key: string, bytes: number, read: (from: number) => Promise<Buffer>): Promise<void> {
    const id = await this.#try(() => this.#client.getMultipartUploadId(key));
    try {
      const parts: UploadPart[] = [];
      for (let from = 0; from < bytes; from += PART_BYTES) {
        const content = await read(from);
        const part = await this.#find(() => this.#client.uploadPart(key, id, content, parts.length + 1));
        if (part === undefined) throw new StoreUnavailable(new Error('the upload is not there any more'));
        parts.push(part);
      }
      const completed = await this.#find(() => this.#client.completeMultipartUpload(key, id, parts));
      // Some begin to answer, with 200, before they know; and what a try completed whose answer was lost is not there for the next one.
      if (!hasTag(completed) && (await this.sizeOf(key)) !== bytes) {
        throw new StoreUnavailable(new Error('the upload was not completed'));
      }
    } catch (error) {
      // Where that fails a later start ends it.
      await this.#endUpload(key, id).catch(() => {});
      throw error;
    }
  }

  async #endUpload(key: string, id: string): Promise<void> {
    await this.#find(() => this.#client.abortMultipartUpload(key, id));
  }

  /**
   * For what reads or takes away: undefined where there is no such thing, or the store does no such thing. Who puts something there has not
   * done so by such an answer, and tries. Throws StoreUnavailable.
   */
  async #find<T>(work: () => Promise<T>): Promise<T | undefined> {
    return this.#insist(() =>
      this.#attempt(work).catch((error: unknown) => {
        const refusal = refusalOf(error);
        if (refusal !== undefined && isAbsent(refusal)) return undefined;
        throw error;
      }),
    );
  }

  /** For all else. Throws StoreUnavailable. */
  async #try<T>(work: () => Promise<T>): Promise<T> {
    return this.#insist(() => this.#attempt(work));
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    const result = await work();
    this.#outage.noteSuccess(WAY);
    return result;
  }

  /** Tries something again where its failure may pass. */
  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await attempt();
      } catch (error) {
        const refusal = refusalOf(error);
        const mayPass = refusal === undefined || refusal.status >= 500 || refusal.status === 429;
        if (!mayPass || tried >= TRIES) {
          this.#outage.noteLoss(WAY, reasonOf(error));
          throw new StoreUnavailable(error);
        }
        await delay(this.firstPauseMs * 4 ** (tried - 1));
      }
    }
  }
}

/** So many bytes of a stream, behind the first ones. */
async function* cut(stream: Readable, skipped: number, length: number): AsyncGenerator<Uint8Array, void> {
  let at = 0;
  for await (const piece of stream as AsyncIterable<Uint8Array>) {
    const part = piece.subarray(Math.max(0, skipped - at), skipped + length - at);
    at += piece.length;
    if (part.length > 0) yield part;
    if (at >= skipped + length) return;
  }
}

/** What the store says of itself; undefined where it did not answer. */
function refusalOf(error: unknown): S3ServiceError | undefined {
  if (error instanceof S3ServiceError) return error;
  return error instanceof Error && error.cause !== undefined ? refusalOf(error.cause) : undefined;
}

/** There is no such thing; nor does every store do all that others do. */
function isAbsent({ status, serviceCode }: S3ServiceError): boolean {
  return (status === 404 && serviceCode !== 'NoSuchBucket') || status === 501;
}

/** Whether an answer says what the object is that is there now: one that is an error says nothing of the kind. */
function hasTag(answer: { readonly etag?: unknown } | undefined): boolean {
  return typeof answer?.etag === 'string' && answer.etag !== '';
}

/** In one line, without what the store echoes of the request. */
function reasonOf(error: unknown): string {
  const refusal = refusalOf(error);
  if (refusal !== undefined) return `${refusal.status} ${refusal.serviceCode ?? ''}`.trim();
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return messageOf(cause) || String((cause as { code?: unknown }).code);
}

/** Sends requests whose answers begin in time; how long the rest of one takes is up to who reads it. */
function fetchWithin(milliseconds: number): typeof fetch {
  return async (input, init) => {
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
    // How long a body is fetch says itself. Where it is said too it fails once undici was loaded, by whoever, for that takes the place of what
    // Node has within.
    const headers = new Headers(init?.headers);
    headers.delete('content-length');
    try {
      return await fetch(input, { ...init, headers, redirect: 'error', signal: ending.signal });
    } finally {
      clearTimeout(timer);
    }
  };
}
