import { Readable } from 'node:stream';
import { Inject, Injectable, StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MatrixError } from '#kernel/matrix-error';
import { type FindOptions, MediaFinder } from '../media-finder.js';
import type { MediaRef } from '../media-id.js';
import type { MediaHere } from '../projections/media.projector.js';
import { type ByteRange, MEDIA_STORE, type MediaStore } from '../store/media-store.js';
import { readName } from '../uploads/parse-about.js';
import { describeContent, KEPT, SAFE_HEADERS } from '../content-headers.js';
import { readRange, UNSATISFIABLE } from './read-range.js';

/** What is asked for, and how. */
export interface Wanted extends FindOptions {
  readonly media: MediaRef;
  /** What the file is to be called, where that is not what who uploaded it says. */
  readonly fileName?: string;
}

/** What is given of a medium that is there. */
interface Given {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  /** Undefined where nothing is sent but the head. */
  readonly stream?: Readable;
}

/** Gives out the content of media over HTTP: whole or a range, or that it has not changed. */
@Injectable()
export class GiveContent {
  constructor(
    private readonly finder: MediaFinder,
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
  ) {}

  /** Throws as MediaFinder does; M_INVALID_PARAM (416) for a range that holds nothing of it. */
  async give(request: FastifyRequest, reply: FastifyReply, wanted: Wanted): Promise<StreamableFile | undefined> {
    void reply.headers(SAFE_HEADERS);
    const found = await this.finder.find(wanted.media, wanted);
    const given =
      (await this.#read(request, reply, wanted, found)) ??
      (await this.#read(request, reply, wanted, await this.finder.findAgain(wanted.media, wanted)));
    if (given === undefined) throw new MatrixError('M_NOT_FOUND');
    // Not before it is sure to be given: what says that there is nothing must not be kept for a day.
    const { status, headers, stream } = given;
    void reply.status(status).headers(headers);
    if (status === 304) return undefined;
    return new StreamableFile(stream ?? Readable.from([]));
  }

  /** Undefined where the content is not in the store. */
  async #read(
    request: FastifyRequest,
    reply: FastifyReply,
    { fileName }: Wanted,
    found: MediaHere,
  ): Promise<Given | undefined> {
    const { sha256 } = found;
    const etag = `"${sha256}"`;
    const kept = { etag, 'cache-control': KEPT };
    if (names(request.headers['if-none-match'], etag)) return { status: 304, headers: kept };
    const { type, disposition } = describeContent(found.type, readName(fileName) ?? found.name);
    const about = { 'content-type': type, 'content-disposition': disposition, 'accept-ranges': 'bytes' };
    if (request.method === 'HEAD') {
      const length = await this.store.sizeOf(sha256);
      return length === undefined
        ? undefined
        : { status: 200, headers: { ...kept, ...about, 'content-length': length } };
    }
    const range = readWantedRange(request, reply, etag, found.bytes);
    const opened = await this.store.open(sha256, range);
    if (opened === undefined) return undefined;
    const { bytes, stream } = opened;
    if (range === undefined) return { status: 200, headers: { ...kept, ...about, 'content-length': bytes }, stream };
    const part = { 'content-length': range.last - range.first + 1, 'content-range': rangeOf(range, bytes) };
    return { status: 206, headers: { ...kept, ...about, ...part }, stream };
  }
}

const rangeOf = ({ first, last }: ByteRange, bytes: number): string => `bytes ${first}-${last}/${bytes}`;

/** The range that is asked for; undefined where all of it is to be sent. Throws M_INVALID_PARAM (416). */
function readWantedRange(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  etag: string,
  bytes: number,
): ByteRange | undefined {
  const { range: header, 'if-range': condition } = headers;
  // Of content that is not the one somebody has the beginning of, they get all.
  if (condition !== undefined && condition !== etag) return undefined;
  const range = readRange(header, bytes);
  if (range !== UNSATISFIABLE) return range;
  void reply.header('content-range', `bytes */${bytes}`);
  throw new MatrixError('M_INVALID_PARAM', 'Nothing of the content is in that range', { status: 416 });
}

/** Whether a list of tags has one (RFC 9110, section 13.1.2: compared as weak ones). */
function names(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));
}
