import { Readable } from 'node:stream';
import { Inject, Injectable, StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MatrixError } from '#kernel/matrix-error';
import { type FindOptions, MediaFinder } from '../media-finder.js';
import type { MediaRef } from '../media-id.js';
import type { MediaHere } from '../projections/media.projector.js';
import { type ByteRange, MEDIA_STORE, type MediaStore, type OpenContent } from '../store/media-store.js';
import { readName } from '../uploads/parse-about.js';
import { describeContent, SAFE_HEADERS } from '../content-headers.js';
import { readRange, UNSATISFIABLE } from './read-range.js';

/** What is asked for, and how. */
export interface Wanted extends FindOptions {
  readonly media: MediaRef;
  /** What the file is to be called, where that is not what who uploaded it says. */
  readonly fileName?: string;
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
    const found = await this.finder.find(wanted.media, wanted);
    const { sha256, bytes } = found;
    const { type, disposition } = describeContent(found.type, readName(wanted.fileName) ?? found.name);
    const etag = `"${sha256}"`;
    void reply.headers({ ...SAFE_HEADERS, etag, 'accept-ranges': 'bytes' });
    if (names(request.headers['if-none-match'], etag)) return void reply.status(304);
    const range = this.#readRange(request, reply, etag, bytes);
    void reply.headers({ 'content-type': type, 'content-disposition': disposition });
    const length = range === undefined ? bytes : range.last - range.first + 1;
    if (request.method === 'HEAD') return new StreamableFile(Readable.from([]), { type, disposition, length });
    const { stream } = await this.#open(wanted, found, range);
    if (range !== undefined) {
      void reply.status(206).header('content-range', `bytes ${range.first}-${range.last}/${bytes}`);
    }
    return new StreamableFile(stream, { type, disposition, length });
  }

  async #open(wanted: Wanted, { sha256 }: MediaHere, range: ByteRange | undefined): Promise<OpenContent> {
    const opened =
      (await this.store.open(sha256, range)) ??
      (await this.store.open((await this.finder.findAgain(wanted.media, wanted)).sha256, range));
    if (opened === undefined) throw new MatrixError('M_NOT_FOUND');
    return opened;
  }

  #readRange({ headers }: FastifyRequest, reply: FastifyReply, etag: string, bytes: number): ByteRange | undefined {
    const { range: header, 'if-range': condition } = headers;
    // Of content that is not the one somebody has the beginning of, they get all.
    if (condition !== undefined && condition !== etag) return undefined;
    const range = readRange(header, bytes);
    if (range !== UNSATISFIABLE) return range;
    void reply.header('content-range', `bytes */${bytes}`).header('cache-control', 'no-store');
    throw new MatrixError('M_INVALID_PARAM', 'Nothing of the content is in that range', { status: 416 });
  }
}

/** Whether a list of tags has one (RFC 9110, section 13.1.2: compared as weak ones). */
function names(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));
}
